#!/usr/bin/env python3
"""Makes the real sentry-sdk send something. Works with sentry-sdk 0.14.4, 1.45.1 and 2.x on Python 3.11.

    SENTRY_DSN=http://key@127.0.0.1:9000/1 python drive.py <scenario> [count]

Prints one JSON line: {"scenario", "sdk", "event_ids"}, or {"scenario", "sdk", "unsupported": true, "reason"}.
event_ids holds the id of every event handed to the transport, in order.
"""
import asyncio
import json
import logging
import os
import sys

import sentry_sdk
from sentry_sdk.integrations import DidNotEnable

sent = []  # event ids, in the order of sending


def remember(event, hint):
    sent.append(event["event_id"])
    return event


def start(**options):
    # SDK 1.x and 2.x call a frame "in_app" only if its file is below the working directory.
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    sentry_sdk.init(  # the DSN comes from SENTRY_DSN
        release="shop@1.4.2", environment="staging", before_send=remember, **options
    )
    sentry_sdk.set_tag("checkout", "card")
    sentry_sdk.set_user({"id": "42", "email": "jane@example.test"})


def flush():
    sentry_sdk.flush(timeout=10)


# ---------------------------------------------------------------- the faulty shop
class OrderError(Exception):
    pass


def charge(number, amount):
    currency = "EUR"
    items = ["tea", "cup"]
    password = "hunter2"  # 1.45.1 and 2.x replace this by "[Filtered]", 0.14.4 sends it
    raise OrderError("order %d failed" % number)


def place_order(number):
    return charge(number, amount=12.5)


def load_price(sku):
    return {"tea": 3}[sku]


def price_order(sku):
    try:
        return load_price(sku)
    except KeyError as error:
        raise OrderError("no price for the order") from error


def fault(kind, text):
    try:
        raise kind(text)
    except kind as error:
        return error


def import_orders():
    files = ExceptionGroup("two files unreadable", [fault(OSError, "disk gone"), fault(TypeError, "bad column")])
    raise ExceptionGroup("import failed", [fault(ValueError, "row 3"), files])


def capture(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        sentry_sdk.capture_exception(error)


# ---------------------------------------------------------------- scenarios
def plain():
    start()
    sentry_sdk.add_breadcrumb(category="cart", message="added tea", level="info", data={"quantity": 2})
    capture(place_order, 17)


def plain_repeat(count="5"):
    start()
    for i in range(int(count)):
        capture(place_order, 100 + i)
        if i % 10 == 9:  # the SDKs drop events beyond 30 (0.14.4) or 100 waiting ones
            flush()


def chained():
    start()
    capture(price_order, "cake")


def grouped():
    start()
    capture(import_orders)


def message():
    start()
    sentry_sdk.capture_message("stock of tea is low", level="warning")


def aiohttp():
    from aiohttp import web
    from sentry_sdk.integrations.aiohttp import AioHttpIntegration

    start(integrations=[AioHttpIntegration()])
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # no traceback on stderr

    async def order_handler(request):
        return web.Response(text=str(place_order(int(request.match_info["id"]))))

    async def main():
        app = web.Application()
        app.router.add_get("/orders/{id}", order_handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        # A bare socket as client, because the SDK also watches aiohttp's and Python's own HTTP clients.
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /orders/17?coupon=spring HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"User-Agent: drive/1\r\nAuthorization: Bearer s3cr3t\r\nConnection: close\r\n\r\n" % port
        )
        answer = await reader.read()
        writer.close()
        await runner.cleanup()
        assert answer.startswith(b"HTTP/1.1 500 "), answer

    asyncio.run(main())


def flask():
    import flask
    from sentry_sdk.integrations.flask import FlaskIntegration

    start(integrations=[FlaskIntegration()])
    app = flask.Flask("shop")
    app.logger.setLevel(logging.CRITICAL)  # no traceback on stderr; the SDK does not need it

    @app.route("/pay/<int:id>", methods=["POST"])
    def pay(id):
        return str(place_order(id))

    answer = app.test_client().post(
        "/pay/17?coupon=spring",
        data={"card": "visa", "password": "hunter2"},
        headers={"User-Agent": "drive/1", "Authorization": "Bearer s3cr3t"},
    )
    assert answer.status_code == 500, answer.status


SCENARIOS = {
    "plain": plain,
    "plain-repeat": plain_repeat,
    "chained": chained,
    "grouped": grouped,
    "message": message,
    "aiohttp": aiohttp,
    "flask": flask,
}

if __name__ == "__main__":
    result = {"scenario": sys.argv[1], "sdk": sentry_sdk.VERSION}
    try:
        SCENARIOS[sys.argv[1]](*sys.argv[2:])
    except (ImportError, DidNotEnable) as error:  # a framework is not installed or does not suit this SDK
        result.update(unsupported=True, reason=str(error))
    else:
        flush()
        result["event_ids"] = sent
    print(json.dumps(result))
