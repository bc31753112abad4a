import { expect, test } from "vitest";
import { placeOf } from "./places.ts";

test.each([
  ["localhost:8080", "this-machine"],
  ["127.0.0.1", "this-machine"],
  ["[::1]:9000", "this-machine"],
  ["nas", "local-network"],
  ["gpu.lan:8000", "local-network"],
  ["box.local", "local-network"],
  ["10.0.0.4:11434", "local-network"],
  ["192.168.1.2", "local-network"],
  ["172.20.0.3", "local-network"],
  ["[fd00::1]:80", "local-network"],
  ["api.openai.com", "internet"],
  ["172.32.0.1", "internet"],
  ["8.8.8.8:443", "internet"],
  ["localhost.example.com", "internet"],
  ["lan.example.com", "internet"],
  ["", "internet"],
])("S7 the place of %s is the %s", (host, place) => {
  expect(placeOf(host)).toBe(place);
});

test("S8 a host that the operator approved is of the local network, whatever its name", () => {
  expect(placeOf("models.example.com:8000", ["models.example.com:8000"])).toBe("local-network");
  expect(placeOf("models.example.com", ["models.example.com:8000"])).toBe("local-network");
  expect(placeOf("models.example.com:9000", ["models.example.com:8000"])).toBe("internet");
});
