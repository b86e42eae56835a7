-- Alerts: rules in their order, what each alert was last, every change, silences, and why each notice was or was not sent.
CREATE TABLE alert_rule (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alert_state (id TEXT PRIMARY KEY, rule TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alert_change (
    id INTEGER PRIMARY KEY, alert TEXT NOT NULL, at REAL NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX alert_change_alert ON alert_change (alert, id);
CREATE TABLE silence (id TEXT PRIMARY KEY, body TEXT NOT NULL, ends_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE alert_decision (id INTEGER PRIMARY KEY, at REAL NOT NULL, alert TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX alert_decision_alert ON alert_decision (alert, id);
