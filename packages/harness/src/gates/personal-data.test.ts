import { describe, expect, test } from "vitest";
import { redactText } from "./findings.ts";
import { personalData } from "./personal-data.ts";

describe("H6 personal data", () => {
  test.each([
    ["email", "anna.smith+news@mail.benchtop.dev"],
    ["email", "o'neil_99@uni-koeln.de"],
    ["phone", "+49 30 901820"],
    ["phone", "+1 (212) 555-0123"],
    ["phone", "(212) 555-0123"],
    ["phone", "212-555-0123"],
    ["phone", "+33 6 12 34 56 78"],
    ["phone", "0041 44 668 18 00"],
    ["iban", "DE89 3704 0044 0532 0130 00"],
    ["iban", "GB82WEST12345698765432"],
    ["iban", "FR1420041010050500013M02606"],
    ["iban", "NO9386011117947"],
    ["payment-card", "4539 5787 6362 1486"],
    ["payment-card", "5425-2334-3010-9903"],
    ["payment-card", "378282246310005"],
    ["us-social-security-number", "536-90-4399"],
  ])("%s: %s is found", (kind, secret) => {
    const text = `see ${secret}, please`;
    const { findings, text: redacted } = redactText(text, [personalData()]);
    expect([findings, redacted]).toEqual([[kind], `see [redacted: ${kind}], please`]);
  });

  test.each([
    "write to someone@example.com or git@github.com:owner/repo",
    "import x from '@benchtop/harness@0.1.0'",
    "version 1.2.3-4567.89, built 2026-11-21 06:24:40.123456",
    "1732168000123 and 4111111111111112 and 1234567890123456",
    "IBAN DE89370400440532013001 has a wrong checksum",
    "XX89370400440532013000 is of no country",
    "000-12-3456, 666-12-3456, 912-12-3456, 123-00-4567, 123-45-0000",
    "078-05-1120 is an advertisement",
    "at 192.168.100.200:8080, port 12345, pid 4242",
    "0.5555555555555555 and -4.111111111111111",
    "ISBN 978-3-16-148410-0, uuid 550e8400-e29b-41d4-a716-446655440000",
    "2024-2025 10-20-30 555-1234",
    "user@localhost, root@build.local",
  ])("%s is none", (text) => {
    expect(redactText(text, [personalData()])).toEqual({ text, findings: [] });
  });

  test("is found by the kinds that were asked for", () => {
    const text = "anna@benchtop.dev, +49 30 901820";
    expect(redactText(text, [personalData(["phone"])]).text).toBe("anna@benchtop.dev, [redacted: phone]");
  });

  test.each(["1", "1 ", "+1-", "a@", "a.", "DE89 ", "4-"])(
    "half a million characters of %j are read in time",
    (piece) => {
      const text = piece.repeat(500_000 / piece.length);
      expect(redactText(text, [personalData()]).text).toBeTypeOf("string");
    },
    5000,
  );
});
