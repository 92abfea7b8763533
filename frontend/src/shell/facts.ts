/** Facts as people read them. */

import type { Priority, StudyFacts, Verdict } from "../api/types";

const HIDDEN = "Patient hidden";

/** A DICOM person name as people write it: family name, then given names. */
export function personName(name: string): string {
  const [family, given = "", middle = ""] = name.split("=")[0].split("^");
  return [family, [given, middle].filter(Boolean).join(" ")].filter(Boolean).join(", ");
}

export function who(facts: StudyFacts, hidden: boolean): string {
  if (hidden) return HIDDEN;
  return personName(facts.patient_name) || facts.patient_id || "No name";
}

/** Sex and age, say `F 54 y`. */
export function sexAndAge({ patient_sex, patient_age }: StudyFacts): string {
  const age = /^0*(\d+)([DWMY])$/.exec(patient_age);
  const readable = age ? `${age[1]} ${age[2].toLowerCase()}` : patient_age;
  return [patient_sex, readable].filter(Boolean).join(" ");
}

/** A DICOM or ISO date as 2026-11-23. */
export function date(text: string): string {
  const compact = /^(\d{4})(\d{2})(\d{2})/.exec(text);
  return compact ? compact.slice(1).join("-") : text.slice(0, 10);
}

/** How long ago, in the largest whole unit and the next. */
export function since(time: string, now: number): string {
  const minutes = Math.max(0, Math.floor((now - Date.parse(time)) / 60000));
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Local date and time to the minute. */
export function moment(time: string): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A share as per cent: whole, but never a 0 or 100 that it is not. */
export function percent(share: number): string {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value < 1) return `${value.toFixed(1)} %`;
  if (value > 99 && value < 100) return `${Math.min(value, 99.9).toFixed(1)} %`;
  return `${Math.round(value)} %`;
}

export const PRIORITIES: Record<Priority, string> = { HIGH: "High", MEDIUM: "Medium", LOW: "Low" };

export const VERDICTS: Record<Verdict, string> = {
  agree: "Agrees",
  disagree: "Disagrees",
  unsure: "Unsure",
};
