-- Results: one row a place and window, absolute numbers; the newest replaces the older.
-- Each file here is applied once, in the order of its number, and never changed afterwards: what is to differ goes into
-- a new file. A statement must do no harm when it is run again, for MySQL cannot take back half a file.

CREATE TABLE IF NOT EXISTS city_windows (
	-- Compared byte by byte: Montréal and Montreal are two places.
	place VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	window_start DATETIME NOT NULL COMMENT 'UTC',
	window_seconds INT NOT NULL,
	tweets BIGINT UNSIGNED NOT NULL COMMENT 'posts',
	retweets BIGINT UNSIGNED NOT NULL COMMENT 'those of them that refer to another post',
	users BIGINT UNSIGNED NOT NULL COMMENT 'distinct authors',
	upto BIGINT UNSIGNED NOT NULL COMMENT 'offset of the last post counted in; a row yields only to one whose upto is not smaller',
	updated_at DATETIME(6) NOT NULL COMMENT 'UTC',
	PRIMARY KEY (window_seconds, window_start, place),
	KEY place (place, window_start)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
