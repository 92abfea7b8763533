export function ViewerPage({ study }: { study: string }) {
  return <h1>{study}</h1>;
}
