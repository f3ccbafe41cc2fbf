#include "apps/examples/8-card-fraud/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, card_fraud);
}
