#!/usr/bin/env bash
# What the README promises, from a clone to a data set, in an empty folder, each step timed.
#
#     bash tools/newcomer.sh [REPOSITORY]
set -euo pipefail
repository=${1:-$(cd "$(dirname "$0")/.." && pwd)}
folder=$(mktemp -d)
trap 'kill "${service:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

step() {
	local name=$1 start=$SECONDS
	shift
	"$@" >"$folder/log" 2>&1 || { echo "$name failed:"; tail -20 "$folder/log"; exit 1; }
	printf '| %s | %d s |\n' "$name" $((SECONDS - start))
}
served() {
	boilerplate-clf serve --port 8765 >"$folder/service.log" 2>&1 &
	service=$!
	for _ in $(seq 100); do
		curl --silent --fail http://127.0.0.1:8765/v1/predict -H 'Content-Type: application/json' \
			-d '{"text": "Jetzt spenden!"}' | grep donation_request && return
		sleep 0.3
	done
	return 1
}
crawl() { mkdir crawl && for i in 1 2 3; do
	for _ in $(seq 1000); do
		echo '{"text": "Der Rat tagt am Montag.\nJetzt spenden!\nIhre Redaktion"}'
	done >"crawl/$i.jsonl"
done && boilerplate-clf annotate crawl/ --output labelled/; }

printf '| step | time |\n|---|---|\n'
step "clone" git clone "$repository" repository
step "\`make demo\`: environment, package, an article labelled" make -C repository demo
# shellcheck disable=SC1091
source repository/.venv/bin/activate
step "the extras" pip install --quiet "./repository[train,serve,html,annotate]"
step "\`check\` of 250 rows" boilerplate-clf check repository/examples/own-labels.csv
step "\`train --extend\`: a bundle of one's own" \
	boilerplate-clf train repository/examples/own-labels.csv --output bundle --extend
step "an article labelled with it" boilerplate-clf predict repository/examples/artikel.txt --model bundle
step "the service, to its first answer" served
step "3,000 documents annotated" crawl
