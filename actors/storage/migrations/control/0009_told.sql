-- Whom alerts were last told to as firing, apart from the log of decisions, which forgets.
CREATE TABLE alert_told (receiver TEXT NOT NULL, alert TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (receiver, alert)) WITHOUT ROWID;
CREATE INDEX alert_told_at ON alert_told (receiver, at);
INSERT INTO alert_told (receiver, alert, at)
    SELECT json_extract(body, '$.receiver'), alert, at FROM alert_decision
    WHERE json_extract(body, '$.state') = 'firing' AND id IN
        (SELECT max(id) FROM alert_decision WHERE json_extract(body, '$.decision') = 'sent' GROUP BY alert, json_extract(body, '$.receiver'));
