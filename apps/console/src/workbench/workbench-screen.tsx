import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { failureOf, isCode } from "../api/client.ts";
import { query } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { Screen } from "../components/screen.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { Compass } from "lucide-react";
import { Workshop } from "./workshop.tsx";

const route = getRouteApi("/workbenches/$workbenchId");

export function WorkbenchScreen() {
  const { workbenchId } = route.useParams();
  const workbench = useQuery(query("workbenches.open", { workbenchId }));
  if (workbench.data !== undefined) return <Workshop key={workbenchId} workbench={workbench.data} />;
  return (
    <Screen title="Workbench">
      {workbench.isPending && <SkeletonRows label="Loading the workbench" />}
      {isCode(workbench.error, "NOT_FOUND") ? (
        <EmptyState
          icon={<Compass size={18} aria-hidden />}
          title="This workbench does not exist"
          action={
            <Link to="/workbenches">
              <Button>All workbenches</Button>
            </Link>
          }
        >
          It may have been deleted.
        </EmptyState>
      ) : (
        workbench.isError && (
          <div className="p-4">
            <ErrorNotice
              failure={failureOf(workbench.error)}
              handlers={{ retry: async () => void (await workbench.refetch()) }}
            />
          </div>
        )
      )}
    </Screen>
  );
}
