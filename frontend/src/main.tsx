import { render } from "preact";
import { App } from "./app";
import { applyTheme } from "./shell/preferences";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/worklist.css";
import "./styles/viewer.css";
import "./styles/pages.css";

applyTheme();
window.matchMedia("(prefers-color-scheme: light)").addEventListener("change", applyTheme);

const root = document.getElementById("root");
if (root) render(<App />, root);
