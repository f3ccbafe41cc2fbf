#include "tests/contract/kafka_contract.h"

#include "tests/contract/cases.h"

#define CASE(name) { #name, name, false },
#define CASE_SLOW(name) { #name, name, true },

const struct contract_case contract_cases[] = { CONTRACT_CASES(CASE, CASE_SLOW){ 0 } };
