import Foundation
import Web
import WhorlClient

let environment = ProcessInfo.processInfo.environment
Whorl.start(dsn: environment["WHORL_DSN"] ?? "http://abc@127.0.0.1:1/1", release: environment["RELEASE"])
print(page(Int(environment["ORDER"] ?? "") ?? 17))
if environment["WHORL_DSN"] != nil { _ = await Whorl.flush(timeout: .seconds(10)) }
