import { start } from "./start.js";

start(import("./monitor-page.js"), "main");
