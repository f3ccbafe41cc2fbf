#include "apps/examples/7-top-words/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, top_words);
}
