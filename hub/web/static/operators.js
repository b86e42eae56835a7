import { start } from "./start.js";

start(import("./operators-page.js"), "tree");
