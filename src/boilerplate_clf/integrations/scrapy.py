"""In Scrapy: an item pipeline.

In ``settings.py``::

    ITEM_PIPELINES = {"boilerplate_clf.integrations.scrapy.CleanTextPipeline": 500}
    BOILERPLATE_CLF_FIELD = "text"         # a text or a list of paragraphs; this is the default
    BOILERPLATE_CLF_REMOVED = "removed"    # field for what was taken out; left out by default
    BOILERPLATE_CLF_MODE = "careful"       # default: balanced
    BOILERPLATE_CLF_MODEL = "accurate"     # or the folder of a bundle; default: the shipped model
"""

from __future__ import annotations

from typing import Any

from itemadapter import ItemAdapter
from scrapy.crawler import Crawler
from scrapy.statscollectors import StatsCollector

from boilerplate_clf.inference.classifier import Classifier


class CleanTextPipeline:
    """Replaces a field by its content; an item without the field passes untouched.

    Counts ``boilerplate_clf/items``, ``boilerplate_clf/kept`` and ``boilerplate_clf/LABEL`` (paragraphs) in
    the crawl's stats.
    """

    def __init__(
        self, classifier: Classifier, field: str, removed: str | None, stats: StatsCollector | None
    ) -> None:
        """Hold what :meth:`from_crawler` reads from the settings."""
        self.classifier, self.field, self.removed, self.stats = classifier, field, removed, stats

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> CleanTextPipeline:
        """Make the pipeline of a crawl; one thread, since Scrapy's reactor waits for it anyway."""
        get = crawler.settings.get
        classifier = Classifier(get("BOILERPLATE_CLF_MODEL"), mode=get("BOILERPLATE_CLF_MODE"), threads=1)
        field = get("BOILERPLATE_CLF_FIELD", "text")
        return cls(classifier, field, get("BOILERPLATE_CLF_REMOVED"), crawler.stats)

    def process_item(self, item: Any, spider: Any = None) -> Any:
        """Clean one item; ``spider`` is what Scrapy before 2.13 passes."""
        adapter = ItemAdapter(item)
        value = adapter.get(self.field)
        if not value:
            return item
        document = self.classifier.predict(value)
        adapter[self.field] = document.clean_text if isinstance(value, str) else document.clean_paragraphs
        if self.removed:
            adapter[self.removed] = document.removal()["removed"]
        if self.stats is not None:
            self.stats.inc_value("boilerplate_clf/items")
            self.stats.inc_value("boilerplate_clf/kept", len(document.kept))
            for label, count in document.summary.appeals.items():
                self.stats.inc_value(f"boilerplate_clf/{label}", count)
        return item
