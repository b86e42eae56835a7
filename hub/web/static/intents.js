import { start } from "./start.js";

start(import("./intents-page.js"), "main");
