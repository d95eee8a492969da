"""The configuration file of the pipeline: YAML, checked on load.

Paths in it are relative to the file itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from boilerplate_clf.errors import ConfigError
from boilerplate_clf.extras import require
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.labels import CONTENT, LABELS
from boilerplate_clf.training.calibrate import CalibrateConfig, CascadeConfig
from boilerplate_clf.training.corpus import Source
from boilerplate_clf.training.finetune import FinetuneConfig
from boilerplate_clf.training.linear import LinearConfig
from boilerplate_clf.training.pretrain import PretrainConfig
from boilerplate_clf.training.selftrain import SelfTrainingConfig

Config = TypeVar("Config")


@dataclass(frozen=True)
class TokenizerConfig:
    """Training of the WordPiece vocabulary."""

    vocab_size: int = 16_384
    sample_megabytes: float = 90.0
    """Text that the vocabulary is trained on, drawn from all sources by size and weight."""


@dataclass(frozen=True)
class EmbeddingsConfig:
    """Skip-gram start of the embeddings."""

    tokens: int = 30_000_000
    """0 starts from random embeddings."""
    workers: int = 2


@dataclass(frozen=True)
class Mined:
    """Stretches of unlabelled text that are content by origin."""

    paths: tuple[Path, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class DataConfig:
    """What the classifier is fine-tuned and measured on."""

    pages: tuple[Path, ...]
    """Labelled pages to train on."""
    dev: Path
    """Labelled pages to measure and tune on; checked to be of other publishers."""
    blocks: tuple[Path, ...] = ()
    """Authored blocks: a few consecutive paragraphs each."""
    lines: tuple[Path, ...] = ()
    """Authored paragraphs that stand alone, for the n-gram model only: the encoder gets worse by them."""
    negatives: Mined = field(default_factory=Mined)
    """Text on the appeals' topics, from sources without appeals."""
    carriers: Mined = field(default_factory=Mined)
    """Articles into which blocks are set."""
    never_train: tuple[Path, ...] = ()
    """Further evaluation data that training text is checked against."""


@dataclass(frozen=True)
class PipelineConfig:
    """Everything that decides what a model becomes."""

    name: str
    version: str
    data: DataConfig
    corpus: tuple[Source, ...] = ()
    base: str | None = None
    """A local folder (relative to the file, too) or hub id of an encoder; replaces tokenizer, embeddings
    and pre-training."""
    encoder: bool = True
    """False: the n-gram model judges alone; no stage of the encoder is run."""
    teacher: Path | None = None
    """Run folder of an earlier model: its tokenizer is taken over, pre-training goes on from its
    encoder, and it labels the pages of ``self_training``."""
    labels: tuple[str, ...] = LABELS
    keep_label: str = CONTENT
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    embeddings: EmbeddingsConfig = field(default_factory=EmbeddingsConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    linear: LinearConfig = field(default_factory=LinearConfig)
    self_training: SelfTrainingConfig = field(default_factory=SelfTrainingConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    calibrate: CalibrateConfig = field(default_factory=CalibrateConfig)
    cascade: CascadeConfig | None = None
    """None: the encoder reads every paragraph."""


def load_config(path: Path) -> PipelineConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: no such file, not YAML, an unknown or missing key, or a value of the wrong
            type; the file and the key are named.
    """
    config = read_config(path, PipelineConfig)
    if config.encoder and (config.base is None) == (not config.corpus):
        raise ConfigError(f"{path}: give either 'base' or 'corpus': where does the encoder come from?")
    if not config.encoder and not config.linear.weight:
        raise ConfigError(f"{path}: 'encoder' is off and 'linear.weight' is 0: nothing is left to judge")
    if config.self_training.unlabelled and config.teacher is None:
        raise ConfigError(f"{path}: 'self_training' needs a 'teacher'")
    if config.base is not None and config.teacher is not None:
        raise ConfigError(f"{path}: 'base' and 'teacher' are two starts: give one of them")
    if config.cascade is not None:
        _check_cascade(config, config.cascade, path)
    if config.base is not None and (local := path.resolve().parent / config.base).is_dir():
        config = replace(config, base=str(local))
    resolved: PipelineConfig = _resolve(config, path.resolve().parent)
    return resolved


def _check_cascade(config: PipelineConfig, cascade: CascadeConfig, path: Path) -> None:
    """Refuse what a bundle would be refused for, and wide reading that is only half said.

    Raises:
        ConfigError: the file and the key are named.
    """
    wide = cascade.wide_labels
    if unknown := set(wide) - (set(config.labels) - {config.keep_label}):
        raise ConfigError(f"{path}: cascade.wide_labels: {min(unknown)!r} is no label of an appeal")
    if len(set(wide)) != len(wide):
        raise ConfigError(f"{path}: cascade.wide_labels: a label stands there twice")
    plain = Chain(1.0, (), ())
    labels, keep = config.labels, config.labels.index(config.keep_label)
    if problem := cascade.cascade(plain, labels).problem(len(labels), keep):
        raise ConfigError(f"{path}: cascade.{problem[0]}: {problem[1]}")
    said = (bool(wide), cascade.wide_doubt < 1, cascade.wide_context > 0)
    if any(said) and not all(said):
        raise ConfigError(
            f"{path}: cascade: wide_labels, wide_doubt (below 1) and wide_context (above 0) go together"
        )


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read a YAML file into a (nested) dataclass, paths as they stand there.

    Raises:
        ConfigError: no such file, not YAML, an unknown or missing key, or a value of the wrong type; the file
            and the key are named.
    """
    yaml = require("train", "yaml")
    pydantic = require("train", "pydantic")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: empty, or not a mapping of keys to values")
    try:
        config: Config = pydantic.TypeAdapter(kind).validate_python(raw)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{path}: {_first_problem(error)}") from error
    _refuse_unknown(raw, kind, path, "")
    return config


def _first_problem(error: Any) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    return f"{key}: {problem['msg']}"


def _refuse_unknown(raw: Any, kind: Any, path: Path, prefix: str) -> None:
    """Name keys that no field has: pydantic ignores them in dataclasses."""
    if not is_dataclass(kind) or not isinstance(raw, dict):
        return
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    for key, value in raw.items():
        if key not in known:
            raise ConfigError(f"{path}: {prefix}{key}: unknown key; known are {', '.join(sorted(known))}")
        _refuse_unknown(value, hints[key], path, f"{prefix}{key}.")


def _resolve(value: Any, folder: Path) -> Any:
    """Make all paths of a (frozen) configuration absolute."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, tuple):
        return tuple(_resolve(item, folder) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(
            **{item.name: _resolve(getattr(value, item.name), folder) for item in fields(value)}
        )
    return value
