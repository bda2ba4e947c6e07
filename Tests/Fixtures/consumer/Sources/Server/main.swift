import Web
import WhorlClient

Whorl.start(dsn: "http://abc@127.0.0.1:1/1")
print(page())
