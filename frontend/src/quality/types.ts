/** What `GET /api/v1/quality` answers. */

export interface Share {
  value: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

export interface AgreementDay {
  day: string;
  agree: number;
  disagree: number;
  unsure: number;
  share: number | null;
  low: number | null;
  high: number | null;
}

export interface Accuracy {
  sensitivity: Share;
  specificity: Share;
  corrected_sensitivity: Share;
  corrected_specificity: Share;
  true_positive: number;
  false_positive: number;
  true_negative: number;
  false_negative: number;
  flagged: number;
  flagged_read: number;
  not_flagged: number;
  not_flagged_read: number;
  stated_sensitivity: number;
  stated_specificity: number;
  note: string;
}

export interface Bin {
  low: number | null;
  high: number | null;
  reference: number;
  current: number;
}

export interface Stability {
  psi: number | null;
  chance: number | null;
  level: "unknown" | "stable" | "moderate" | "large";
  alarm: boolean;
  n: number;
  bins: Bin[];
}

export interface Energy {
  energy: number | null;
  threshold: number | null;
  p_value: number | null;
  alarm: boolean;
  n: number;
}

export interface Drift {
  reference: string;
  reference_n: number;
  score: Stability;
  input: { grey_mean: Stability; grey_std: Stability };
  embedding: Energy;
}

export interface Turnaround {
  p50: number | null;
  p95: number | null;
  n: number;
  per_day: { day: string; p50: number; p95: number; n: number }[];
}

export interface Group {
  name: string;
  n: number;
  flagged: number;
  rejected: number;
  agree: number;
  disagree: number;
  unsure: number;
  p50: number;
  p95: number;
}

export interface Quality {
  since: string;
  days: number;
  package: string;
  version: string;
  n_images: number;
  n_read: number;
  n_rejected: number;
  capped: boolean;
  enough: number;
  agreement: AgreementDay[];
  accuracy: Accuracy;
  drift: Drift | null;
  rejections: { code: string; meaning: string; n: number; share: number }[];
  turnaround: Turnaround;
  sites: Group[];
  devices: Group[];
  alarms: { what: string; detail: string }[];
}
