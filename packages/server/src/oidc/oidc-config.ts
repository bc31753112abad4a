import { checkProviderUrl } from "@benchtop/egress";
import { BenchtopError } from "@benchtop/protocol";
import { z } from "zod";

const Host = z
  .string()
  .max(253)
  .regex(/^[a-z0-9.-]+(:\d{1,5})?$/, "must be a host in lower case, with its port where it is not 443");
const Domain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, "must be a domain in lower case");

/** One identity provider of the team's, as `oidc` of `config.json` names it. */
export const OidcConfig = z
  .strictObject({
    /** In addresses and logs. */
    name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "must be lower-case letters, digits and dashes, 40 at most"),
    /** On the button. */
    displayName: z.string().trim().min(1).max(60),
    issuer: z.string().max(2000),
    clientId: z.string().min(1).max(500),
    /** The environment variable that holds the client's secret; without one the client is a public one. */
    clientSecretEnv: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]{0,100}$/, "must be the name of an environment variable")
      .optional(),
    /** Beside `openid`. */
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/))
      .max(20)
      .default(["email", "profile"]),
    /** Other hosts of the same provider that its discovery document may name. */
    hosts: z.array(Host).max(10).default([]),
    /** Only people whose verified address is in one of these domains are let in, members and invited ones too. */
    allowedDomains: z.array(Domain).min(1).max(50).optional(),
    /** With it, people of those domains become members when they first come, without an invitation. */
    defaultRole: z.enum(["viewer", "editor", "admin"]).optional(),
    /** The id of the workspace that they join then. */
    defaultWorkspace: z.string().min(1).max(100).default("default"),
    /** The issuer is on this machine's loopback; http is allowed then. */
    local: z.boolean().default(false),
  })
  .superRefine((config, context) => {
    const wrong = issuerProblem(config);
    if (wrong !== undefined) context.addIssue({ code: "custom", path: ["issuer"], message: wrong });
    if (config.defaultRole !== undefined && config.allowedDomains === undefined) {
      const message = "needs allowedDomains: otherwise everybody whom the provider knows would become a member";
      context.addIssue({ code: "custom", path: ["defaultRole"], message });
    }
  });
export type OidcConfig = z.infer<typeof OidcConfig>;

export const OidcConfigs = z
  .array(OidcConfig)
  .max(20)
  .refine((configs) => new Set(configs.map(({ name }) => name)).size === configs.length, "names one provider twice");

function issuerProblem({ issuer, local }: { readonly issuer: string; readonly local: boolean }): string | undefined {
  try {
    checkProviderUrl(issuer, local ? "this-machine" : "elsewhere");
    return undefined;
  } catch (thrown) {
    return `${BenchtopError.from(thrown).message}${local ? "" : " An issuer on this machine needs local: true."}`;
  }
}
