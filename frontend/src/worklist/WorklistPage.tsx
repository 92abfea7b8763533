export function WorklistPage() {
  return <h1>Worklist</h1>;
}
