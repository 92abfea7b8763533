/** What is known of the image, beside the picture: the result, the study, the readings. */

import type { ComponentChildren } from "preact";
import { address, imagePath } from "../api/client";
import type { Finding, ImageDetail, Rejection } from "../api/types";
import { date, moment, percent, sexAndAge, who } from "../shell/facts";
import { OutcomeBadge, ProbabilityBar } from "../shell/Outcome";
import { usePreferences } from "../shell/preferences";

export function ResultCard({ image }: { image: ImageDetail }) {
  const { outcome } = image;
  const disagreed = image.reading?.verdict === "disagree";
  return (
    <section class={disagreed ? "card card-greyed" : "card"} aria-label="Result">
      <div class="card-head">
        <h2>Result</h2>
        <OutcomeBadge row={image} greyed={disagreed} />
      </div>
      {disagreed && <p class="superseded">{superseded(image)}</p>}
      {outcome?.kind === "finding" && <FindingFacts finding={outcome} greyed={disagreed} />}
      {outcome?.kind === "rejection" && <RejectionFacts rejection={outcome} />}
      {!outcome && <p class="quiet">No result yet. It appears here by itself.</p>}
    </section>
  );
}

function superseded(image: ImageDetail): string {
  const amended = image.reading?.amended;
  if (amended === "done") return "A reader disagrees. A report that says so supersedes the first.";
  if (amended === "pending") return "A reader disagrees. The superseding report is being made.";
  return "A reader disagrees with this result.";
}

function FindingFacts({ finding, greyed }: { finding: Finding; greyed: boolean }) {
  const { sensitivity, specificity } = finding;
  return (
    <>
      <ProbabilityBar finding={finding} greyed={greyed} />
      {sensitivity !== null && specificity !== null && (
        <p class="quiet">
          In validation this operating point had a sensitivity of {percent(sensitivity)} and a
          specificity of {percent(specificity)}.
        </p>
      )}
      {finding.marks.map((mark) => (
        <p key={mark} class="mark">
          {mark}
        </p>
      ))}
      <p class="quiet small-print">
        {finding.age_group && `Threshold for the age group ${finding.age_group}. `}
        {finding.package} {finding.version}, {moment(finding.decided_at)}
        {finding.seconds !== null && `, ${Math.max(finding.seconds, 0.01).toFixed(2)} s`}
      </p>
    </>
  );
}

function RejectionFacts({ rejection }: { rejection: Rejection }) {
  return (
    <>
      <p>
        <strong>{rejection.reason || rejection.meaning}</strong>
      </p>
      <p class="quiet">
        Code <code>{rejection.code}</code>: {rejection.meaning}. This is no negative: the image has
        not been judged and needs reading without help.
      </p>
      <p class="quiet small-print">
        {rejection.package} {rejection.version}, {moment(rejection.decided_at)}
      </p>
    </>
  );
}

export function StudyCard({ image }: { image: ImageDetail }) {
  const { hidePatient } = usePreferences();
  const personal = (text: string) => (hidePatient ? "hidden" : text);
  const file = (part: string) => address(imagePath(image.image, part));
  return (
    <section class="card" aria-label="Study">
      <h2>{who(image, hidePatient)}</h2>
      <dl class="facts">
        <Fact name="Patient ID">{personal(image.patient_id)}</Fact>
        <Fact name="Sex, age">{sexAndAge(image)}</Fact>
        <Fact name="Accession">{personal(image.accession_number)}</Fact>
        <Fact name="Study date">{date(image.study_date)}</Fact>
        <Fact name="Arrived">{moment(image.received_at)}</Fact>
        <Fact name="Institution">{image.institution}</Fact>
        <Fact name="Device">{image.device}</Fact>
        <Fact name="Size">{image.rows && image.columns ? `${image.columns} × ${image.rows}` : ""}</Fact>
      </dl>
      {image.deliveries.length > 0 && (
        <ul class="deliveries" aria-label="Deliveries">
          {image.deliveries.map((d) => (
            <li key={`${d.target} ${d.kind} ${d.revision}`}>
              {d.kind}
              {d.revision > 0 ? `, revision ${d.revision}` : ""} → {d.target}: {d.state}
            </li>
          ))}
        </ul>
      )}
      {image.outcome && (
        <p class="downloads">
          <a href={file("report")} download>
            Report (DICOM SR)
          </a>
          <a href={file("fhir")} download>
            FHIR
          </a>
          {image.outcome.kind === "finding" && (
            <a href={file("overlay")} download>
              Overlay (DICOM)
            </a>
          )}
        </p>
      )}
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  if (!children) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
