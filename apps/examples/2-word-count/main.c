#include "apps/examples/2-word-count/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, word_counts);
}
