import { documentJobs } from "../review/document-jobs.ts";
import { serve } from "./serve.ts";

// Apart from the other worker, which starts faster without what reads documents.
serve(documentJobs);
