"""Incidents of the feed of flights, a list of one each, as a file has them."""

WHEN = "from: 2013-03-08, until: 2013-03-11"
SILENT = f"[{{name: silence, kind: silent, source: weather, {WHEN}}}]"
BOTH = "sources: [timetable, movements], column: carrier"
RENAMED = f"[{{name: renamed, kind: renamed, {BOTH}, values: {{UA: ZZ}}, {WHEN}}}]"
SCALED = f"[{{name: seconds, kind: scaled, source: movements, column: delay_minutes, factor: 60, {WHEN}}}]"
RESENT = f"[{{name: twice, kind: resent, sources: [movements], {WHEN}}}]"
