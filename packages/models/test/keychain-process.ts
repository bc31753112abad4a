import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { keychainKey, systemKeychain, type Keychain, type SecretsPlace } from "../src/secrets-keychain.ts";
import { openSecrets } from "../src/secrets.ts";

/**
 * One process that uses secrets, for tests that need several: `set NAME VALUE`, `get NAME`, or `move N`, which moves the key
 * and is killed at the Nth thing that it does with the keychain. Prints what came of it as JSON.
 */
const [what = "", ...rest] = process.argv.slice(2);
const { TEST_HOME: home = "", TEST_CONFIG: configDir, TEST_PLACE: place, TEST_NO_NATIVE: noNative } = process.env;

if (noNative !== undefined) {
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "@napi-rs/keyring") throw new Error("Cannot find package '@napi-rs/keyring'");
      return next(specifier, context);
    },
  });
}

try {
  console.log(JSON.stringify(await act()));
} catch (thrown) {
  const { code, message } = BenchtopError.from(thrown);
  console.log(JSON.stringify({ code, message }));
}

async function act(): Promise<object> {
  if (what === "move") {
    const path = join(configDir ?? "", "secrets.key");
    const key = await keychainKey(path, "keychain", killedAt(Number(rest[0]), systemKeychain(path))).read();
    return { moved: key !== undefined };
  }
  const secrets = await openSecrets({
    home,
    ...(configDir !== undefined && { configDir }),
    ...(place !== undefined && { place: place as SecretsPlace }),
  });
  const [name = "", value = ""] = rest;
  if (what === "set") await secrets.set(name, value);
  const kept = (await secrets.get(name))?.reveal();
  return {
    value: kept,
    keyLocation: secrets.keyLocation,
    ...(configDir !== undefined && { file: readFileSync(join(configDir, "secrets.key"), "utf8").trim() }),
  };
}

function killedAt(place: number, keychain: Keychain): Keychain {
  let done = 0;
  const step = (): void => {
    if (++done === place) process.kill(process.pid, "SIGKILL");
  };
  const around = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    step();
    const value = await work();
    step();
    return value;
  };
  return { get: () => around(() => keychain.get()), set: (value) => around(() => keychain.set(value)) };
}
