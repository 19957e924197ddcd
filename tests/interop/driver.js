// Runs a client as a child of the tests: commands in as JSON lines on stdin, answers and events out on stdout.

import { createInterface } from "node:readline";

console.log = console.error; // the clients under test may chat; stdout is ours

const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");

/** Tell the test that something happened. */
export const emit = (event, fields = {}) => write({ event, ...fields });

/** Answer commands `{call, op, args}` with `ops[op](args)`, one after the other, until stdin ends. */
export async function drive(ops) {
  emit("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    const { call, op, args } = JSON.parse(line);
    try {
      write({ call, value: (await ops[op](args)) ?? null });
    } catch (error) {
      write({ call, error: String(error?.stack ?? error) });
    }
  }
  process.exit(0);
}
