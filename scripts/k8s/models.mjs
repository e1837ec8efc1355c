// Checks resources that Kubernetes does not know itself: reads a JSON list from standard input, prints a line for each one that is wrong.
import { readFileSync } from "node:fs";
import { postgresqlCnpgIo } from "@kubernetes-models/cloudnative-pg";
import { kedaSh } from "@kubernetes-models/keda";
import { monitoringCoreosCom } from "@kubernetes-models/prometheus-operator";

const known = {
  "keda.sh/v1alpha1": kedaSh.v1alpha1,
  "monitoring.coreos.com/v1": monitoringCoreosCom.v1,
  "postgresql.cnpg.io/v1": postgresqlCnpgIo.v1,
};
let wrong = 0;
for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${resource.kind} ${resource.metadata?.name}`;
  const Model = known[resource.apiVersion]?.[resource.kind];
  try {
    if (!Model) throw new Error("no schema of it is known here");
    new Model(resource).validate();
  } catch (error) {
    wrong += 1;
    console.log(`${name}: ${error.message}`);
  }
}
process.exit(wrong === 0 ? 0 : 1);
