import { createHash } from "node:crypto";
import type { Attachment, Message } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { requestHash } from "./request-hash.ts";

const bytes = Buffer.from("an image");
const data = bytes.toString("base64");
const sha256 = createHash("sha256").update(bytes).digest("hex");

const hashOf = (...attachments: Attachment[]) =>
  requestHash({ modelId: "m", messages: [{ role: "user", content: "What is it?", attachments }] });

test("H7 a request has one hash, whether an attachment is given by its bytes or by their hash", () => {
  const named = { mediaType: "image/png", name: "a.png" };
  expect(hashOf({ ...named, data })).toBe(hashOf({ ...named, sha256 }));
  expect(hashOf({ ...named, data, sha256 })).toBe(hashOf({ ...named, sha256 }));
  expect(hashOf({ ...named, data: Buffer.from("another").toString("base64") })).not.toBe(hashOf({ ...named, data }));
  expect(hashOf({ ...named, data, name: "b.png" })).not.toBe(hashOf({ ...named, data }));
});

test("H7 the order of an object's members does not change the hash, the order of messages does", () => {
  const user = { role: "user", content: "a" } as const;
  const answer = { role: "assistant", content: "b" } as const;
  expect(requestHash({ modelId: "m", messages: [user], temperature: 1 })).toBe(
    requestHash({ temperature: 1, messages: [{ content: "a", role: "user" }], modelId: "m" }),
  );
  expect(requestHash({ modelId: "m", messages: [user, answer] })).not.toBe(
    requestHash({ modelId: "m", messages: [answer, user] }),
  );
});

test("H7 a conversation has the hash of its messages, however it came to them", () => {
  const messages: Message[] = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "a" },
  ];
  const anew = () => requestHash({ modelId: "m", messages: structuredClone(messages) });
  const grown = () => requestHash({ modelId: "m", messages });
  expect(grown()).toBe(anew());
  messages.push({ role: "assistant", content: "b" }, { role: "system", content: "Be polite." });
  expect(grown()).toBe(anew());
  messages.splice(1, 1, { role: "user", content: "another" });
  expect(grown()).toBe(anew());
  messages.length = 1;
  expect(grown()).toBe(anew());
});
