/** The quality page: agreement, accuracy, drift, rejections and turnaround. */

import { useEffect } from "preact/hooks";
import "../styles/quality.css";
import { address } from "../api/client";
import { navigate, usePlace } from "../shell/router";
import { Notice } from "../shell/Shell";
import { AccuracyCard } from "./AccuracyCard";
import { Agreement } from "./Agreement";
import { DriftCard } from "./DriftCard";
import { GroupsCard } from "./GroupsCard";
import type { Group, Quality } from "./types";
import { useQuality } from "./useQuality";
import { RejectionsCard, WaitingCard } from "./WaitingCard";
import { count, percent } from "./words";

const SPANS = [7, 30, 90, 365];
const NOT_STATED = "not stated";

export function QualityPage() {
  const { query } = usePlace();
  const asked = new URLSearchParams();
  asked.set("days", SPANS.includes(Number(query.get("days"))) ? String(query.get("days")) : "30");
  const site = query.get("site");
  const device = query.get("device");
  if (site !== null) asked.set("site", site);
  if (device !== null) asked.set("device", device);
  const { found, failure } = useQuality(asked.toString());

  useEffect(() => {
    document.title = "Quality · lungflag";
  }, []);

  function choose(name: string, value: string | null): void {
    const wanted = new URLSearchParams(asked);
    if (value === null) wanted.delete(name);
    else wanted.set(name, value);
    navigate(`/quality?${wanted}`, true);
  }

  return (
    <div class="quality">
      <div class="quality-head">
        <h1>Quality</h1>
        <label>
          <span>Span</span>
          <select
            value={asked.get("days") ?? "30"}
            onChange={(event) => choose("days", event.currentTarget.value)}
          >
            {SPANS.map((days) => (
              <option key={days} value={days}>
                {days === 365 ? "a year" : `${days} days`}
              </option>
            ))}
          </select>
        </label>
        <Choice name="Site" chosen={site} groups={found?.sites ?? []} choose={(value) => choose("site", value)} />
        <Choice name="Device" chosen={device} groups={found?.devices ?? []} choose={(value) => choose("device", value)} />
        <a class="export" href={address(`/quality.csv?${asked}`)} download="quality.csv">
          Export as CSV
        </a>
      </div>
      {failure && (
        <p class="stale" role="status">
          {found ? "The station does not answer; these figures are older." : `The figures cannot be fetched: ${failure.message}`}
        </p>
      )}
      {!found && !failure && <p class="quiet">Working out the figures…</p>}
      {found && <Figures found={found} site={site} device={device} choose={choose} />}
    </div>
  );
}

interface FiguresProps {
  found: Quality;
  site: string | null;
  device: string | null;
  choose: (name: string, value: string | null) => void;
}

function Figures({ found, site, device, choose }: FiguresProps) {
  if (found.n_images === 0) {
    return (
      <Notice title="No image was judged in this span">
        Figures appear with the first one. Choose a longer span, or another site or device.
      </Notice>
    );
  }
  const judged = found.n_images - found.n_rejected;
  return (
    <>
      <Alarms found={found} />
      <dl class="tiles">
        <Tile name="Images" value={found.n_images.toLocaleString("en-GB")} more={`${found.package} ${found.version}`} />
        <Tile
          name="Flagged"
          value={percent(judged ? found.accuracy.flagged / judged : null)}
          more={`${found.accuracy.flagged} of ${count(judged, "finding")}`}
        />
        <Tile name="Read" value={percent(found.n_read / found.n_images)} more={`${found.n_read} of ${found.n_images}`} />
        <Tile
          name="Rejected"
          value={percent(found.n_rejected / found.n_images, 1)}
          more={count(found.n_rejected, "image")}
        />
      </dl>
      {found.capped && <p class="stale">So many images lie in this span that only the newest are counted.</p>}
      <div class="quality-cards">
        <Agreement days={found.agreement} />
        <AccuracyCard found={found.accuracy} />
        <WaitingCard waited={found.turnaround} />
        <DriftCard drift={found.drift} enough={found.enough} />
        <GroupsCard
          title="By site"
          what="Institution"
          groups={found.sites}
          chosen={site}
          choose={(name) => choose("site", name)}
        />
        <GroupsCard
          title="By device"
          what="Manufacturer and model"
          groups={found.devices}
          chosen={device}
          choose={(name) => choose("device", name)}
        />
        <RejectionsCard found={found} />
      </div>
    </>
  );
}

function Alarms({ found }: { found: Quality }) {
  if (found.alarms.length === 0) {
    return (
      <p class="alarms alarms-none">
        <strong>No alarm.</strong>{" "}
        {found.drift && found.drift.score.n < found.enough
          ? `Too few patients yet to tell drift: ${found.drift.score.n} of ${found.enough}.`
          : "Nothing measured here is out of bounds."}
      </p>
    );
  }
  return (
    <section class="alarms" aria-label="Alarms">
      <h2>
        <span aria-hidden="true">▲ </span>
        {count(found.alarms.length, "alarm")}
      </h2>
      <ul>
        {found.alarms.map((alarm) => (
          <li key={alarm.detail}>{alarm.detail}</li>
        ))}
      </ul>
    </section>
  );
}

function Tile({ name, value, more }: { name: string; value: string; more: string }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>
        <span class="tile-value">{value}</span>
        <span class="tile-more">{more}</span>
      </dd>
    </div>
  );
}

interface ChoiceProps {
  name: string;
  chosen: string | null;
  groups: Group[];
  choose: (value: string | null) => void;
}

/** A list of names; an empty name is one too, so that each value stands behind an equals sign. */
function Choice({ name, chosen, groups, choose }: ChoiceProps) {
  const names = groups.map((group) => group.name);
  if (chosen !== null && !names.includes(chosen)) names.push(chosen);
  return (
    <label>
      <span>{name}</span>
      <select
        value={chosen === null ? "" : `=${chosen}`}
        onChange={(event) => choose(event.currentTarget.value ? event.currentTarget.value.slice(1) : null)}
      >
        <option value="">all</option>
        {names.map((one) => (
          <option key={one} value={`=${one}`}>
            {one || NOT_STATED}
          </option>
        ))}
      </select>
    </label>
  );
}
