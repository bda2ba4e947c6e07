#!/usr/bin/env python3
"""Writes expectations.json: what a collector has to make of each captured ingest request.

An independent reading of the protocol, in another language than the collector's. It runs on the folder in which the
captures lie with their decoded bodies: expectations.py FOLDER
"""
import json
import os
import sys

KEY = "b3d1c6a0f7e84a2f9c5d0e1f2a3b4c5d"
UNSTORED = "unsupported-item"
NEEDS_EVENT = {"event", "transaction", "security", "attachment", "form_data", "user_report", "feedback",
               "replay_event", "profile"}


def hex_id(text):
    return text.replace("-", "").lower() if isinstance(text, str) else None


def framed(body):
    """The header and the items of an envelope."""
    end = body.find(b"\n")
    end = len(body) if end < 0 else end
    header, at, items = json.loads(body[:end]), end + 1, []
    while at < len(body):
        if body[at:at + 1] in b"\r\n \t":
            at += 1
            continue
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        item = json.loads(body[at:end])
        at = end + 1
        length = item.get("length")
        if length is None:
            end = body.find(b"\n", at)
            end = len(body) if end < 0 else end
            payload, at = body[at:end], end + 1
        else:
            payload, at = body[at:at + length], at + length + 1
        items.append((item["type"], payload))
    return header, items


def values(event, key):
    found = event.get(key) or []
    if isinstance(found, dict):
        found = found.get("values") or []
    return [value for value in found if value]


def first_line(text):
    for line in (text or "").splitlines():
        if line.strip():
            return line.strip()
    return ""


def expected_event(event):
    exceptions = values(event, "exception")
    level = event.get("level") or "error"
    message = event.get("logentry") or event.get("message")
    if isinstance(message, dict):
        template, params = message.get("message"), message.get("params")
        template = template and template.replace("%r", "%s")
        if isinstance(params, list):
            params = [p if isinstance(p, (str, int, float)) else json.dumps(p, separators=(",", ":")) for p in params]
        message = message.get("formatted") or (template % tuple(params[:template.count("%")]) if template and params else template)
    return {
        "level": {"critical": "fatal", "warn": "warning", "log": "info"}.get(level, level),
        "type": "error" if exceptions else "default",
        "platform": event.get("platform") or "other",
        "environment": event.get("environment") or "",
        "release": event.get("release"),
        "exceptions": [[e.get("type"), e.get("value")] for e in exceptions],
        "frames": [len((e.get("stacktrace") or {}).get("frames") or []) for e in exceptions],
        "message": first_line(message),
        "breadcrumbs": len(values(event, "breadcrumbs")),
    }


def expectation(folder, request):
    path = request["path"].split("?")[0]
    project = path.split("/")[2]
    with open(os.path.join(folder, "decoded.txt"), "rb") as file:
        body = file.read()
    headers = dict(request["headers"])
    if project != "1":
        # The key belongs to project 1.
        return {"status": 403, "items": []}
    if path.endswith("/store/") and "envelope" not in headers.get("content-type", ""):
        event = json.loads(body)
        if event.get("type") == "transaction":
            return {"status": 200, "id": hex_id(event.get("event_id")), "items": [["transaction", "filtered", UNSTORED]]}
        return {"status": 200, "id": hex_id(event.get("event_id")), "items": [["event", "accepted", "none"]],
                "event": expected_event(event)}
    header, items = framed(body)
    result = {"status": 200, "items": []}
    for kind, payload in items:
        if kind == "event":
            event = json.loads(payload)
            result["event"] = expected_event(event)
            result["id"] = hex_id(header.get("event_id")) or hex_id(event.get("event_id"))
            result["items"].append([kind, "accepted", "none"])
        elif kind == "client_report":
            result["items"].append([kind, "accepted", "none"])
        else:
            result["items"].append([kind, "filtered", UNSTORED])
    if "id" not in result:
        needs = any(kind in NEEDS_EVENT for kind, _ in items)
        result["id"] = (hex_id(header.get("event_id")) or "generated") if needs else None
    return result


def main(root):
    result, seen = {}, set()
    for sdk in sorted(os.listdir(root)):
        if not os.path.isdir(os.path.join(root, sdk)):
            continue
        for case in sorted(os.listdir(os.path.join(root, sdk))):
            folder = os.path.join(root, sdk, case)
            with open(os.path.join(folder, "request.json")) as file:
                request = json.load(file)
            if request["path"].startswith("/api/0/"):
                continue
            expected = expectation(folder, request)
            # sentry-cli sends one file several times: the same event again is a duplicate, and is stored once.
            if "event" in expected:
                if expected["id"] in seen:
                    expected["items"] = [[kind, "invalid" if kind == "event" else outcome, "duplicate" if kind == "event" else reason]
                                         for kind, outcome, reason in expected["items"]]
                    del expected["event"]
                else:
                    seen.add(expected["id"])
            result[sdk + "/" + case] = expected
    json.dump(result, sys.stdout, indent=1, sort_keys=True)
    print()


main(sys.argv[1])
