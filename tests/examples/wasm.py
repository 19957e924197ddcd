"""Code that the room does not trust: a WebAssembly module computes, bounded in time and memory (wasmtime)."""

from partyroom import Connection, Party
from wasmtime import Config, Engine, Func, Instance, Module, Store, Trap, wat2wasm

FUEL = 1_000_000  # instructions, roughly
MODULE = """
(module
  (func (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call 0 (i32.sub (local.get 0) (i32.const 1)))
                     (call 0 (i32.sub (local.get 0) (i32.const 2))))))))
"""


class Sandbox(Party):
    def on_start(self) -> None:
        config = Config()
        config.consume_fuel = True
        self.engine = Engine(config)
        self.module = Module(self.engine, bytes(wat2wasm(MODULE)))

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        store = Store(self.engine)
        store.set_fuel(FUEL)
        store.set_limits(memory_size=1 << 20)
        fib = Instance(store, self.module, []).exports(store)["fib"]
        assert isinstance(fib, Func)
        try:
            connection.send_json({"fib": fib(store, int(message))})
        except Trap:
            connection.send_json({"error": "that takes too long"})
