import { start } from "./start.js";

start(import("./assistant-page.js"), "main");
