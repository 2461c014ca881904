import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/entry.css";
import "./styles/meeting.css";

const root = document.querySelector("#app");
if (root !== null) createRoot(root).render(<App />);
