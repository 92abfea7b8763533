/** The values of the station's HTTP API, version 1, as the server sends them. */

export type Role = "reader" | "operator" | "admin";
export type Verdict = "agree" | "disagree" | "unsure";
export type Priority = "HIGH" | "MEDIUM" | "LOW";

export interface Product {
  version: string;
  package: string;
  package_version: string;
  operating_point: string;
  intended_use: string;
}

export interface Me {
  name: string;
  role: Role;
  csrf: string;
  sign_in: boolean;
  product: Product;
}

interface Judged {
  package: string;
  version: string;
  decided_at: string;
  seconds: number | null;
}

export interface Finding extends Judged {
  kind: "finding";
  probability: number;
  flagged: boolean;
  threshold: number;
  operating_point: string;
  sensitivity: number | null;
  specificity: number | null;
  age_group: string;
  marks: string[];
}

export interface Rejection extends Judged {
  kind: "rejection";
  code: string;
  reason: string;
  meaning: string;
}

export type Outcome = Finding | Rejection;

export interface Reading {
  id: number;
  reader: string;
  verdict: Verdict;
  comment: string;
  created_at: string;
  undone_at: string | null;
  amended: "pending" | "done" | null;
}

export interface ImageRow {
  image: string;
  view_position: string;
  modality: string;
  rows: number | null;
  columns: number | null;
  state: "waiting" | "judging" | "done";
  outcome: Outcome | null;
  reading: Reading | null;
  has_thumbnail: boolean;
}

export interface StudyFacts {
  study: string;
  patient_id: string;
  patient_name: string;
  patient_sex: string;
  patient_age: string;
  accession_number: string;
  study_date: string;
  institution: string;
  received_at: string;
}

export interface StudyRow extends StudyFacts {
  study_time: string;
  description: string;
  priority: Priority;
  status: "waiting" | "unread" | "read";
  images: number;
  lead: ImageRow | null;
}

export interface Delivery {
  target: string;
  kind: string;
  revision: number;
  state: string;
}

export interface ImageDetail extends ImageRow, StudyFacts {
  device: string;
  readings: Reading[];
  deliveries: Delivery[];
}

export interface StudyDetail extends Omit<StudyRow, "images"> {
  images: ImageDetail[];
  neighbours: { previous: string | null; next: string | null };
}

export interface Counts {
  waiting: number;
  unread: number;
  read: number;
  rejected: number;
  flagged: number;
}

export interface StudyPage {
  items: StudyRow[];
  next: string | null;
  counts: Counts;
  version: number;
}

/** A class-activation map in logits; the peak has the corners [x, y] of the delivered mark, in places of the map. */
export interface Heatmap {
  rows: number;
  columns: number;
  values: number[][];
  peak: [number, number][] | null;
}

export interface User {
  id: number;
  name: string;
  role: Role;
  created_at: string;
  disabled_at: string | null;
}

export interface ApiKey {
  id: number;
  name: string;
  prefix: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}
