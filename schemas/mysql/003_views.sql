-- The original's three tables, as views.

CREATE OR REPLACE SQL SECURITY INVOKER VIEW tweets AS
	SELECT place, tweets AS `count`, window_start AS `time` FROM city_windows;
CREATE OR REPLACE SQL SECURITY INVOKER VIEW retweets AS
	SELECT place, retweets AS `count`, window_start AS `time` FROM city_windows;
CREATE OR REPLACE SQL SECURITY INVOKER VIEW users AS
	SELECT place, users AS `count`, window_start AS `time` FROM city_windows;
