import { start } from "./start.js";

start(import("./users-page.js"), "main");
