import { start } from "./start.js";

start(import("./profile-page.js"), "main");
