import { z } from "zod";

export const Id = z
  .string()
  .max(100)
  .regex(/^[\w.-]+$/, "an id");
/** Names of people and things are shown in terminals, too: no control characters, and none that turn text around. */
export const Name = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine((text) => !/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(text), "must not hold control characters");
export const Email = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(/^[\x21-\x3f\x41-\x7e\u00a1-\uffff]+@[\x21-\x3f\x41-\x7e\u00a1-\uffff]+$/, "an e-mail address");
/** A secret that proves something once or for long. Never logged, kept as a hash alone. */
export const Secret = z.string().min(1).max(500);

export const ExpiresInDays = z.int().min(1).max(3660);
