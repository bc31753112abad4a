import type { AccessEventName } from "@benchtop/operations";
import type { Tone } from "../components/chip.tsx";

/** What each line of the access log is called, and whether it is worth a second look. */
export const eventNames: Readonly<Record<AccessEventName, { readonly label: string; readonly tone: Tone }>> = {
  "sign-in.succeeded": { label: "Signed in", tone: "good" },
  "sign-in.failed": { label: "Sign-in failed", tone: "bad" },
  "sign-in.ended": { label: "Signed out", tone: "neutral" },
  "link.created": { label: "Sign-in link made", tone: "draft" },
  "key.created": { label: "Key made", tone: "accent" },
  "key.revoked": { label: "Key revoked", tone: "draft" },
  "token.refused": { label: "Token refused", tone: "bad" },
  "member.added": { label: "Member added", tone: "accent" },
  "member.removed": { label: "Member removed", tone: "draft" },
  "member.role-changed": { label: "Role changed", tone: "accent" },
  "invitation.created": { label: "Invited", tone: "accent" },
  "invitation.revoked": { label: "Invitation taken back", tone: "neutral" },
  "workspace.created": { label: "Workspace made", tone: "accent" },
  "workspace.renamed": { label: "Workspace renamed", tone: "neutral" },
  "workspace.deleted": { label: "Workspace deleted", tone: "draft" },
  "egress.approved": { label: "Local host approved", tone: "accent" },
  "egress.revoked": { label: "Local host revoked", tone: "draft" },
};
