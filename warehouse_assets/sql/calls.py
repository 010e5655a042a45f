"""Which functions a query of MySQL or MariaDB may call: those of the database that compute from their arguments, and none that people made."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlglot import exp, tokenize

from warehouse_assets.errors import InvalidSQLError

__all__ = ["refuse_other_calls"]

_BEFORE_PARENTHESES = frozenset(
    """
    and or not xor in any some all exists as on using from join where select values over partition by having limit union
    intersect except with then else when case between like rlike regexp is div distinct group order interval use force ignore
    index key lateral rollup straight_join window recursive materialized
    """.split()  # noqa: SIM905 - a list of as many literals is no easier to read
)
_COMPUTES = frozenset(
    """
    abs acos add_months adddate addtime aes_decrypt aes_encrypt against any_value ascii asin atan atan2 avg bin bin_to_uuid binary bit_and
    bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length character_length chr coalesce collation compress concat concat_ws
    conv convert convert_tz cos cot count crc32 crc32c cume_dist curdate current_date current_time current_timestamp curtime date date_add
    date_format date_sub datediff datetime day dayname dayofmonth dayofweek dayofyear decimal degrees dense_rank elt exp export_set extract
    field find_in_set first_value floor format from_base64 from_days from_unixtime get_format greatest group_concat grouping hex hour if
    ifnull insert instr is_uuid isnull json_array json_array_append json_array_insert json_arrayagg json_compact json_contains
    json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_keys json_length json_loose
    json_merge_patch json_merge_preserve json_normalize json_object json_objectagg json_overlaps json_pretty json_quote json_remove
    json_replace json_search json_set json_type json_unquote json_valid json_value lag last_day last_value lcase lead least left length ln
    localtime localtimestamp locate log log10 log2 lower lpad ltrim make_set makedate maketime match max md5 median microsecond mid min
    minute mod month monthname natural_sort_key now nth_value ntile nullif numeric nvl nvl2 oct octet_length ord percent_rank
    percentile_cont percentile_disc period_add period_diff pi position pow power quarter quote radians rand random_bytes rank regexp_instr
    regexp_like regexp_replace regexp_substr repeat replace reverse right round row_number rpad rtrim sec_to_time second sformat sha sha1
    sha2 sign signed sin soundex space sqrt std stddev stddev_pop stddev_samp str_to_date strcmp subdate substr substring substring_index
    subtime sum sysdate tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_char to_days to_seconds
    trim truncate ucase uncompress uncompressed_length unhex unix_timestamp unsigned upper utc_date utc_time utc_timestamp uuid uuid_to_bin
    var_pop var_samp varbinary varchar variance week weekday weekofyear weight_string year yearweek
    """.split()  # noqa: SIM905 - a list of as many literals is no easier to read
)


def refuse_other_calls(text: str, dialect: str, tree: exp.Expr) -> None:
    """Raise InvalidSQLError for what may be a call of another function; a schema before a name makes it one that somebody wrote."""
    tokens = tokenize(text, dialect=dialect)
    named: Counter[str] = Counter()
    places: dict[str, Any] = {}
    for before, token, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if after.token_type.name != "L_PAREN" or not _is_word(token):
            continue
        name = token.text.casefold()
        is_plain = token.token_type.name != "IDENTIFIER" and (before is None or before.token_type.name != "DOT")
        if not is_plain or name not in _COMPUTES | _BEFORE_PARENTHESES:
            named[name] += 1
            places[name] = token
    heads = Counter(alias.name.casefold() for alias in tree.find_all(exp.TableAlias) if alias.columns)
    for name, count in named.items():
        if count > heads[name]:  # more often than as the head of a list of columns
            token = places[name]
            raise InvalidSQLError(
                f"it is refused: the function {token.text} is not one of the database that computes from its arguments alone",
                hint="Functions that people made can do more than read; `wa query` calls them.",
                position=(token.line, token.col - (token.end - token.start)),
            )


def _is_word(token: Any) -> bool:
    text: str = token.text
    return token.token_type.name == "IDENTIFIER" or text[:1].isalpha() or text[:1] == "_"
