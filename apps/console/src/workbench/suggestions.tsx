import { useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { Plug } from "lucide-react";
import { modelList, query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { useMay } from "../identity/identity.ts";

const tasks = ["Add a summary.md of these files", "Make the totals consistent", "Find mistakes and correct them"];

/** What to do in an empty conversation: connect a model, or begin with a task. */
export function Suggestions(props: { readonly hasFiles: boolean; readonly onChoose: (task: string) => void }) {
  const navigate = useNavigate();
  const providers = useQuery(query("providers.list", {})).data;
  const mayConnect = useMay("providers:write");
  // The guide, which is always there, cannot work on files.
  const ofMachine = useQuery(modelList).data?.items.some(
    ({ providerId, capabilities }) => providerId === "benchtop" && capabilities?.tools !== false,
  );
  if (providers?.items.length === 0 && ofMachine !== true) {
    if (!mayConnect) return <p className="text-sm text-muted">An admin or owner has to connect a model first.</p>;
    return (
      <Button
        tone="primary"
        icon={<Plug size={14} aria-hidden />}
        onClick={() => void navigate({ to: "/settings", search: { section: "providers" } })}
      >
        Connect a model
      </Button>
    );
  }
  if (!props.hasFiles) return null;
  return (
    <div className="flex flex-wrap justify-center gap-1.5">
      {tasks.map((task) => (
        <Button key={task} size="small" onClick={() => props.onChoose(task)}>
          {task}
        </Button>
      ))}
    </div>
  );
}
