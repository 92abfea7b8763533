/** The quality page: agreement, drift, rejections and turnaround. */

export function QualityPage() {
  return <h1>Quality</h1>;
}
