#include "apps/examples/4-alerts/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, silence_alerts);
}
