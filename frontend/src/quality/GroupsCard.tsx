import type { Group } from "./types";
import { Card } from "./plot";
import { percent, seconds } from "./words";

interface GroupsProps {
  title: string;
  what: string;
  groups: Group[];
  chosen: string | null;
  choose: (name: string | null) => void;
}

/** Every site or device beside the others, however the page is filtered. */
export function GroupsCard({ title, what, groups, chosen, choose }: GroupsProps) {
  return (
    <Card title={title}>
      {groups.length === 0 ? (
        <p class="nothing">They appear with the first judged image.</p>
      ) : (
        <div class="table-frame" tabIndex={0} role="region" aria-label={title}>
          <table class="groups">
            <thead>
              <tr>
                <th scope="col">{what}</th>
                <th scope="col">Images</th>
                <th scope="col">Flagged</th>
                <th scope="col">Rejected</th>
                <th scope="col">Agreed</th>
                <th scope="col">p95</th>
              </tr>
            </thead>
            <tbody>
              {groups.map((group) => (
                <tr key={group.name}>
                  <th scope="row">
                    <button
                      type="button"
                      class="plain"
                      aria-pressed={chosen === group.name}
                      onClick={() => choose(chosen === group.name ? null : group.name)}
                    >
                      {group.name || "not stated"}
                    </button>
                  </th>
                  <td>{group.n}</td>
                  <td>{percent(group.n > group.rejected ? group.flagged / (group.n - group.rejected) : null)}</td>
                  <td>{percent(group.rejected / group.n)}</td>
                  <td>
                    {group.agree + group.disagree
                      ? `${group.agree} of ${group.agree + group.disagree}`
                      : "–"}
                  </td>
                  <td>{seconds(group.p95)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}
