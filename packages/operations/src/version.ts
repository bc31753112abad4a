/**
 * The version of the API: what operations take and answer, on every transport. Another minor number when something is added,
 * another major one when something is taken away or narrowed; `docs/api-changes.md` says what.
 */
export const apiVersion = "1.2";
