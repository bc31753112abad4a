import type { Member } from "@benchtop/operations";
import { client } from "../api/client.ts";
import { queryClient } from "../api/queries.ts";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";

/** Says what ends with a membership, and what stays. */
export function RemoveMember(props: {
  readonly member: Member;
  readonly self: boolean;
  readonly workspaceName: string;
  readonly onClose: () => void;
}) {
  const { member, self, workspaceName } = props;
  const whose = self ? "Your" : "Their";
  return (
    <ConfirmDialog
      title={self ? `Leave ${workspaceName}?` : `Remove ${member.displayName}?`}
      description={`${whose} API keys and browser sessions for ${workspaceName} end at once, and a program that uses one of these keys stops working. Workbenches, runs and checkpoints that ${self ? "you" : "they"} made stay.`}
      action={self ? "Leave" : "Remove"}
      keep={self ? "Stay" : "Keep"}
      onClose={props.onClose}
      onConfirm={async () => {
        await client.call("members.remove", { userId: member.userId });
        if (self) return location.assign("/");
        await Promise.all(["members.list", "keys.list"].map((id) => queryClient.invalidateQueries({ queryKey: [id] })));
        props.onClose();
      }}
    />
  );
}
