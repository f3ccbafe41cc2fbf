#include "apps/evilnet/mysql_db.h"

#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evilnet/mysql.h"

#define CONNECT_SECONDS 5
#define ANSWER_SECONDS 20
#define PASSWORD_MAX 1024

/* An owner that hangs inside a transaction (a stopped process, a dead network) holds its epoch row: the server
 * drops it after wait_timeout, so that the next owner gets on. Strict mode, or a name that is too long would be cut
 * instead of refused. READ COMMITTED takes no gap locks, which are what concurrent upserts would deadlock on. */
static const char session[] =
	"SET SESSION time_zone = '+00:00', "
	"sql_mode = "
	"'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
	"wait_timeout = 30, innodb_lock_wait_timeout = 5";
static const char isolation[] = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

bool evilnet_mysql_configured(const weir_config *cfg)
{
	const char *host = weir_config_string(cfg, "evilnet.mysql.host");
	const char *socket = weir_config_string(cfg, "evilnet.mysql.socket");

	return (host && *host) || (socket && *socket);
}

static bool connection_is_gone(unsigned number)
{
	switch (number) {
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
	case CR_SERVER_LOST_EXTENDED:
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_COMMANDS_OUT_OF_SYNC:
	case CR_MALFORMED_PACKET:
	case CR_SSL_CONNECTION_ERROR:
	case ER_SERVER_SHUTDOWN:
	case ER_CONNECTION_KILLED:
	case ER_NEW_ABORTING_CONNECTION:
	case ER_NET_READ_INTERRUPTED:
	case ER_NET_PACKETS_OUT_OF_ORDER:
	case ER_OPTION_PREVENTS_STATEMENT: /* read-only: this server is no longer the primary */
		return true;
	}
	return false;
}

/* Only what speaks of the values counts: to take a full disk for a bad row would throw good rows away. */
static bool values_are_refused(unsigned number, const char *state)
{
	switch (number) {
	case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD: /* bytes that are no UTF-8 */
	case WARN_DATA_TRUNCATED:
	case 3819: /* a CHECK, MySQL */
	case 4025: /* a CHECK, MariaDB */
	case ER_VIEW_CHECK_FAILED:
		return true;
	}
	return !strncmp(state, "22", 2) || !strncmp(state, "23", 2) ||
	       !strcmp(state, "45000"); /* a trigger's SIGNAL */
}

bool evilnet_db_fail(struct evilnet_db *db, unsigned number, const char *state, const char *text, weir_error *err)
{
	db->number = number;
	db->lost = connection_is_gone(number);
	db->contended = number == ER_LOCK_DEADLOCK || number == ER_LOCK_WAIT_TIMEOUT || number == ER_CHECKREAD;
	db->refused = !db->lost && !db->contended && values_are_refused(number, state);
	weir_fail(err, WEIR_SINK, "%s: %s (%u)", db->where, text, number);
	if (err)
		err->retriable = !db->refused;
	return false;
}

static bool fail_here(struct evilnet_db *db, weir_error *err)
{
	return evilnet_db_fail(db, mysql_errno(db->mysql), mysql_sqlstate(db->mysql), mysql_error(db->mysql), err);
}

/* --- connecting ----------------------------------------------------------------------------------------------- */

static bool read_password(const weir_config *cfg, char password[PASSWORD_MAX], weir_error *err)
{
	const char *given = getenv("EVILNET_MYSQL_PASSWORD");
	const char *path = weir_config_string(cfg, "evilnet.mysql.password.file");

	*password = 0;
	if (given || !path || !*path) {
		if (given && strlen(given) >= PASSWORD_MAX)
			return weir_fail(err, WEIR_CONFIG, "EVILNET_MYSQL_PASSWORD is longer than %d bytes",
					 PASSWORD_MAX - 1);
		if (given)
			memcpy(password, given, strlen(given) + 1);
		return true;
	}
	FILE *file = fopen(path, "re");
	if (!file)
		return weir_fail(err, WEIR_CONFIG, "evilnet.mysql.password.file: %s: %s", path, strerror(errno));
	size_t n = fread(password, 1, PASSWORD_MAX, file);
	bool broken = ferror(file) != 0;
	fclose(file);
	if (broken || n == PASSWORD_MAX)
		return weir_fail(err, WEIR_CONFIG, "evilnet.mysql.password.file: %s: %s", path,
				 broken ? "cannot be read" : "longer than a password can be");
	password[n] = 0;
	password[strcspn(password, "\r\n")] = 0;
	return true;
}

static void set_number(MYSQL *mysql, enum mysql_option option, unsigned value)
{
	mysql_options(mysql, option, &value);
}

static void set_flag(MYSQL *mysql, enum mysql_option option, bool on)
{
	my_bool value = on;

	mysql_options(mysql, option, &value);
}

/* Every mode is spelt out, for Connector/C 3.3 has encryption off and 3.4 has it on, with verification, unless
 * told. */
static void set_encryption(MYSQL *mysql, const weir_config *cfg, const char *mode, bool local)
{
	const char *ca = weir_config_string(cfg, "evilnet.mysql.ssl.ca");
	bool verify = !strcmp(mode, "verify");
	bool on = verify || !strcmp(mode, "required") || (!strcmp(mode, "preferred") && !local);

	set_flag(mysql, MYSQL_OPT_SSL_ENFORCE, on);
	set_flag(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, verify);
	if (verify && ca && *ca)
		mysql_options(mysql, MYSQL_OPT_SSL_CA, ca);
}

static bool connect_to(struct evilnet_db *db, const weir_config *cfg, const char *password, const char *database,
		       weir_error *err)
{
	const char *host = weir_config_string(cfg, "evilnet.mysql.host");
	const char *socket = weir_config_string(cfg, "evilnet.mysql.socket");
	const char *user = weir_config_string(cfg, "evilnet.mysql.user");
	const char *mode = weir_config_string(cfg, "evilnet.mysql.ssl");
	bool local = socket && *socket;

	db->mysql = mysql_init(NULL);
	if (!db->mysql)
		return weir_fail(err, WEIR_SINK, "the MySQL client library cannot be initialised");
	set_number(db->mysql, MYSQL_OPT_CONNECT_TIMEOUT, CONNECT_SECONDS);
	set_number(db->mysql, MYSQL_OPT_READ_TIMEOUT, ANSWER_SECONDS);
	set_number(db->mysql, MYSQL_OPT_WRITE_TIMEOUT, ANSWER_SECONDS);
	set_number(db->mysql, MYSQL_OPT_LOCAL_INFILE, 0);
	/* Else the library takes "localhost" for a socket at a place of its own. */
	set_number(db->mysql, MYSQL_OPT_PROTOCOL, local ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP);
	mysql_options(db->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options4(db->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "evilnet");
	set_encryption(db->mysql, cfg, mode, local);
	if (!mysql_real_connect(db->mysql, local ? NULL : host, user, password, database,
				(unsigned)weir_config_int(cfg, "evilnet.mysql.port"), local ? socket : NULL,
				CLIENT_FOUND_ROWS))
		return fail_here(db, err);
	if ((!strcmp(mode, "required") || !strcmp(mode, "verify")) && !mysql_get_ssl_cipher(db->mysql))
		return evilnet_db_fail(db, CR_SSL_CONNECTION_ERROR, "HY000",
				       "evilnet.mysql.ssl wants encryption, but the server offers none", err);
	return evilnet_db_run(db, session, err) && evilnet_db_run(db, isolation, err);
}

static void close_and_keep_failure(struct evilnet_db *db)
{
	struct evilnet_db failure = *db;

	evilnet_db_close(db);
	db->lost = true;
	db->refused = false;
	db->contended = failure.contended;
	db->number = failure.number;
}

static bool create_database(struct evilnet_db *db, const weir_config *cfg, const char *password, const char *name,
			    weir_error *err)
{
	char quoted[2 * 64 + 1], sql[300];
	size_t n = 0;

	for (const char *c = name; *c; c++) {
		if (n + 2 >= sizeof quoted)
			return weir_fail(err, WEIR_CONFIG, "evilnet.mysql.database: longer than 64 characters");
		if (*c == '`')
			quoted[n++] = '`';
		quoted[n++] = *c;
	}
	quoted[n] = 0;
	snprintf(sql, sizeof sql, "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		 quoted);
	if (!connect_to(db, cfg, password, NULL, err) || !evilnet_db_run(db, sql, err))
		return weir_wrap(err, "database %s is not there and cannot be made", name);
	return mysql_select_db(db->mysql, name) == 0 || fail_here(db, err);
}

bool evilnet_db_open(struct evilnet_db *db, const weir_config *cfg, bool create, weir_error *err)
{
	const char *socket = weir_config_string(cfg, "evilnet.mysql.socket");
	const char *host = weir_config_string(cfg, "evilnet.mysql.host");
	const char *database = weir_config_string(cfg, "evilnet.mysql.database");
	char password[PASSWORD_MAX];
	weir_error failure;

	evilnet_db_close(db);
	if (!evilnet_mysql_configured(cfg) || !database || !*database)
		return weir_fail(err, WEIR_CONFIG, "%s is not set",
				 evilnet_mysql_configured(cfg) ? "evilnet.mysql.database" : "evilnet.mysql.host");
	if (socket && *socket)
		snprintf(db->where, sizeof db->where, "MySQL at %s", socket);
	else
		snprintf(db->where, sizeof db->where, "MySQL at %s:%d", host,
			 (int)weir_config_int(cfg, "evilnet.mysql.port"));
	if (mysql_library_init(0, NULL, NULL)) /* once; mysql_init alone is not safe from threads everywhere */
		return weir_fail(err, WEIR_SINK, "the MySQL client library cannot be initialised");
	if (!read_password(cfg, password, err))
		return false;
	bool ok = connect_to(db, cfg, password, database, &failure);
	if (!ok && create && db->number == ER_BAD_DB_ERROR) {
		evilnet_db_close(db);
		ok = create_database(db, cfg, password, database, &failure);
	}
	explicit_bzero(password, sizeof password);
	if (ok)
		return true;
	close_and_keep_failure(db);
	if (err)
		*err = failure;
	return false;
}

void evilnet_db_close(struct evilnet_db *db)
{
	for (size_t i = 0; i < db->statement_count; i++)
		mysql_stmt_close(db->statements[i].stmt);
	db->statement_count = 0;
	if (db->mysql)
		mysql_close(db->mysql);
	db->mysql = NULL;
	db->number = 0;
	db->lost = db->refused = db->contended = false;
}

bool evilnet_db_alive(struct evilnet_db *db)
{
	return db->mysql && !db->lost && mysql_ping(db->mysql) == 0;
}

/* --- statements as text --------------------------------------------------------------------------------------- */

bool evilnet_db_run(struct evilnet_db *db, const char *sql, weir_error *err)
{
	return evilnet_db_number(db, sql, 0, &(int64_t){ 0 }, err);
}

bool evilnet_db_number(struct evilnet_db *db, const char *sql, int64_t none, int64_t *number, weir_error *err)
{
	if (mysql_real_query(db->mysql, sql, strlen(sql)))
		return fail_here(db, err);
	MYSQL_RES *result = mysql_store_result(db->mysql);
	if (!result)
		return mysql_field_count(db->mysql) == 0 || fail_here(db, err);
	MYSQL_ROW row = mysql_fetch_row(result);
	*number = row && row[0] ? strtoll(row[0], NULL, 10) : none;
	mysql_free_result(result);
	return true;
}

void evilnet_db_rollback(struct evilnet_db *db)
{
	struct evilnet_db failure = *db;

	if (!db->mysql || db->lost)
		return;
	if (mysql_rollback(db->mysql))
		failure.lost = true; /* whatever is still open must not be gone on with */
	db->lost = failure.lost;
}
