/** One study: its picture, its result, and the reader's word. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, Problem } from "../api/client";
import type { ImageDetail, StudyDetail } from "../api/types";
import { useKeys } from "../keys/keys";
import { announce } from "../shell/announce";
import { prefer, preferences, usePreferences } from "../shell/preferences";
import { navigate } from "../shell/router";
import { useSession } from "../shell/session";
import { Notice } from "../shell/Shell";
import { wordFor } from "../shell/Outcome";
import type { Tool } from "./gestures";
import { ResultCard, StudyCard } from "./Panel";
import { ReadingCard } from "./ReadingCard";
import { Stage } from "./Stage";
import { Toolbar } from "./Toolbar";
import { around, type Neighbours, visit } from "./trail";
import { useFilm } from "./useFilm";
import { useReadings } from "./useReadings";

export function ViewerPage({ study }: { study: string }) {
  const { version } = useSession();
  const [detail, setDetail] = useState<StudyDetail | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);
  const [index, setIndex] = useState(0);
  // The order at arrival: a study that is read moves to the end of the list.
  const neighbours = useRef<Neighbours | null>(null);

  const refresh = useCallback(async () => {
    try {
      const answer = await get<StudyDetail>(`/studies/${encodeURIComponent(study)}`);
      visit(study);
      neighbours.current ??= around(study, answer.neighbours);
      setDetail(answer);
      setFailure(null);
    } catch (error) {
      setFailure(error as Error);
    }
  }, [study]);

  useEffect(() => {
    document.title = "Study · lungflag";
    void refresh();
  }, [refresh, version]);

  useEffect(() => {
    if (!detail || index > 0) return;
    const lead = detail.images.findIndex((image) => image.image === detail.lead?.image);
    if (lead > 0) setIndex(lead);
  }, [detail?.study]);

  if (!detail) {
    if (failure instanceof Problem) {
      return (
        <Notice title={failure.status === 404 ? "There is no such study" : failure.title} tone="wrong">
          <p>{failure.detail}</p>
          <a href="/">Back to the worklist</a>
        </Notice>
      );
    }
    return <p class="quiet opening">{failure ? "The station does not answer. Trying again…" : "Opening the study…"}</p>;
  }
  const image = detail.images[Math.min(index, detail.images.length - 1)];
  if (!image) {
    return (
      <Notice title="This study has no image yet">
        <a href="/">Back to the worklist</a>
      </Notice>
    );
  }
  return (
    <Reading
      key={image.image}
      detail={detail}
      image={image}
      neighbours={neighbours.current ?? detail.neighbours}
      refresh={() => void refresh()}
      onImage={setIndex}
    />
  );
}

interface ReadingProps {
  detail: StudyDetail;
  image: ImageDetail;
  neighbours: Neighbours;
  refresh: () => void;
  onImage: (index: number) => void;
}

const STEP = 0.08;
const MOVE = 80;

function Reading({ detail, image, neighbours, refresh, onImage }: ReadingProps) {
  const { film, map, failure } = useFilm(image);
  const [tool, setTool] = useState<Tool>("window");
  const field = useRef<HTMLTextAreaElement>(null);
  const { heatmap, opacity } = usePreferences();
  const disagreed = image.reading?.verdict === "disagree";
  const readings = useReadings(image, refresh, () => {
    if (preferences().advance) go(neighbours.next);
  });
  const at = detail.images.findIndex((one) => one.image === image.image);

  useEffect(() => film.setMark(heatmap ? opacity : 0, disagreed), [film, heatmap, opacity, disagreed]);
  useEffect(() => announce(`Study opened. ${wordFor(image)}.`), [image.image]);

  function go(to: string | null): void {
    if (to) navigate(`/studies/${encodeURIComponent(to)}`);
    else {
      announce("That was the last study.");
      navigate("/");
    }
  }
  function fade(by: number): void {
    const faded = Math.min(1, Math.max(0, Math.round(20 * (preferences().opacity + by)) / 20));
    prefer({ opacity: faded, heatmap: true });
    announce(`Heatmap at ${Math.round(100 * faded)} per cent`);
  }
  function nextImage(): void {
    onImage((at + 1) % detail.images.length);
  }

  useKeys(
    {
      agree: () => readings.read("agree"),
      disagree: () => readings.read("disagree"),
      unsure: () => readings.read("unsure"),
      undo: readings.undo,
      next: () => go(neighbours.next),
      previous: () => neighbours.previous && go(neighbours.previous),
      comment: () => field.current?.focus(),
      heatmap: () => {
        const shown = preferences().heatmap;
        prefer({ heatmap: !shown });
        announce(shown ? "Heatmap off" : "Heatmap on");
      },
      fainter: () => fade(-0.1),
      stronger: () => fade(0.1),
      invert: () => film.invert(),
      preset: () => film.usePreset(film.preset + 1),
      brighter: () => film.nudge(STEP / 2, 0),
      darker: () => film.nudge(-STEP / 2, 0),
      wider: () => film.nudge(0, STEP),
      narrower: () => film.nudge(0, -STEP),
      fit: () => film.fit(),
      actual: () => film.actual(),
      closer: () => film.zoom(1.25),
      further: () => film.zoom(1 / 1.25),
      left: () => film.pan(MOVE, 0),
      right: () => film.pan(-MOVE, 0),
      up: () => film.pan(0, MOVE),
      down: () => film.pan(0, -MOVE),
      rotate: () => film.rotate(),
      mirror: () => film.mirror(),
      flip: () => film.flip(),
      image: nextImage,
    },
    "viewer",
  );

  return (
    <div class="viewer">
      <h1 class="unseen">Study</h1>
      <Toolbar film={film} tool={tool} onTool={setTool} hasMap={map !== null} />
      <Stage film={film} image={image} map={map} tool={tool} failure={failure} />
      <div class="panel" role="region" aria-label="Result and reading" tabIndex={0}>
        {detail.images.length > 1 && (
          <div class="images" role="group" aria-label="Images of this study">
            {detail.images.map((one, i) => (
              <button key={one.image} type="button" aria-pressed={i === at} onClick={() => onImage(i)}>
                {i + 1} {one.view_position} · {wordFor(one)}
              </button>
            ))}
          </div>
        )}
        <ResultCard image={image} />
        <ReadingCard
          image={image}
          readings={readings}
          field={field}
          onNext={() => go(neighbours.next)}
          hasNext={neighbours.next !== null}
        />
        <StudyCard image={image} />
      </div>
    </div>
  );
}
