/** Everything that a key may do, and the key that does it until a reader chooses another. */

export type Where = "everywhere" | "worklist" | "viewer";

export interface Action {
  id: string;
  key: string;
  does: string;
  where: Where;
}

const action = (where: Where, id: string, key: string, does: string): Action => ({
  id,
  key,
  does,
  where,
});

/** Keys are `KeyboardEvent.key`, with `Shift+` before the ones that have no capital. */
export const ACTIONS: readonly Action[] = [
  action("viewer", "agree", "a", "Agree with the result"),
  action("viewer", "disagree", "d", "Disagree: greys the mark, supersedes the report"),
  action("viewer", "unsure", "u", "Unsure"),
  action("viewer", "next", "n", "Next study"),
  action("viewer", "previous", "p", "Previous study"),
  action("viewer", "undo", "z", "Undo my last reading"),
  action("viewer", "comment", "c", "Write a comment; Escape returns to the picture"),
  action("viewer", "heatmap", "m", "Heatmap on and off"),
  action("viewer", "fainter", "[", "Heatmap fainter"),
  action("viewer", "stronger", "]", "Heatmap stronger"),
  action("viewer", "invert", "i", "Invert grey values"),
  action("viewer", "preset", "w", "Next window preset"),
  action("viewer", "brighter", "Shift+ArrowUp", "Brighter"),
  action("viewer", "darker", "Shift+ArrowDown", "Darker"),
  action("viewer", "wider", "Shift+ArrowRight", "Less contrast"),
  action("viewer", "narrower", "Shift+ArrowLeft", "More contrast"),
  action("viewer", "fit", "f", "Fit the picture"),
  action("viewer", "actual", "1", "One picture pixel on one screen pixel"),
  action("viewer", "closer", "+", "Zoom in"),
  action("viewer", "further", "-", "Zoom out"),
  action("viewer", "left", "ArrowLeft", "Move left"),
  action("viewer", "right", "ArrowRight", "Move right"),
  action("viewer", "up", "ArrowUp", "Move up"),
  action("viewer", "down", "ArrowDown", "Move down"),
  action("viewer", "rotate", "r", "Rotate by a quarter"),
  action("viewer", "mirror", "x", "Mirror left and right"),
  action("viewer", "flip", "y", "Flip top and bottom"),
  action("viewer", "image", ".", "Next image of the study"),
  action("worklist", "down", "j", "Next row"),
  action("worklist", "up", "k", "Previous row"),
  action("worklist", "open", "o", "Open the most urgent study"),
  action("worklist", "search", "/", "Search"),
  action("everywhere", "worklist", "g", "Go to the worklist"),
  action("everywhere", "quality", "q", "Go to the quality page"),
  action("everywhere", "hide", "h", "Hide patient data"),
  action("everywhere", "theme", "t", "Light or dark theme"),
  action("everywhere", "help", "?", "These shortcuts"),
];
